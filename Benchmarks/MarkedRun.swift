import Foundation

/// One run of a guest that marks on its console where each load begins and ends.
///
/// The marks are lines: `@init` when its first program begins, `@begin NAME` and `@end NAME` around each load, `@result NAME
/// TEXT` for what a load computed, and `@done`. At each mark, the CPU time of the process that runs the guest is read.
struct MarkedRun {
    static let memory = 512 << 20

    /// CPU seconds from the start of the process to `@init`.
    private(set) var start = 0.0
    /// CPU seconds of each load.
    private(set) var loads: [String: Double] = [:]
    /// What the loads computed.
    private(set) var results: [String: String] = [:]
    /// Resident memory at `@init`, in bytes: the guest's own, and the rest.
    private(set) var guestMemory = 0
    private(set) var otherMemory = 0

    init(_ machine: Machine, _ arguments: [String]) throws {
        let process = try ObservedProcess(machine.path, arguments, limit: 1800)
        var begun = 0.0
        var isDone = false
        while let line = process.line() {
            let words = line.split(separator: " ")
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
