import Foundation

/// A run of a guest that prints marks on its console around each load.
///
/// The marks are lines: `@init` at the start of the first program, `@begin NAME` and `@end NAME` around a load, `@result NAME
/// TEXT` with a load's result, and `@done`. The CPU time of the monitor's process is read at each mark.
struct MarkedRun {
    static let memory = 512 << 20

    /// CPU seconds from the start of the process to `@init`.
    private(set) var start = 0.0
    /// CPU seconds of each load.
    private(set) var loads: [String: Double] = [:]
    /// The loads' results.
    private(set) var results: [String: String] = [:]
    /// Memory of the process at `@init`, in bytes: the guest's, and the rest.
    private(set) var guestMemory = 0
    private(set) var otherMemory = 0

    /// - Parameters:
    ///   - prefix: what may stand before each line.
    ///   - program: what becomes the machine's program; nil for that itself.
    init(_ machine: Machine, _ arguments: [String], prefix: String = "", program: String? = nil) throws {
        let process = try ObservedProcess(program ?? machine.path, arguments, limit: 1800)
        var begun = 0.0
        var isDone = false
        while let line = process.line() {
            let words = line.dropFirst(line.hasPrefix(prefix) ? prefix.count : 0).split(separator: " ")
            switch words.first {
            case "@init":
                start = try process.seconds()
                let memory = try process.residentMemory(guestSize: Self.memory)
                (guestMemory, otherMemory) = (memory.guest, memory.proportional)
            case "@begin": begun = try process.seconds()
            case "@end" where words.count >= 2: loads[String(words[1])] = try process.seconds() - begun
            case "@result" where words.count >= 3: results[String(words[1])] = words.dropFirst(2).joined(separator: " ")
            case "@failed": throw BenchmarkError("\(machine.name): the load says \(line)")
            case "@done": isDone = true
            default: break
            }
        }
        let status = process.wait()
        guard status == 0, isDone else {
            let text = process.transcript.suffix(20).joined(separator: "\n")
            throw BenchmarkError("\(machine.name) ended with \(status) before all loads had run:\n\(text)")
        }
    }
}
