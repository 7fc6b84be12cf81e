import Foundation

/// One start of Debian's kernel with the program `system.c` as its first process.
///
/// The program writes marks to the console: `@init` when it begins, and `@begin NAME` and `@end NAME NANOSECONDS` around each
/// load. At each mark, the CPU time of the process that runs the guest is read.
struct SystemRun {
    static let memory = 512 << 20

    /// CPU seconds from the start of the process to the first line of the guest's first process.
    private(set) var start = 0.0
    /// CPU seconds of each load.
    private(set) var loads: [String: Double] = [:]
    /// Resident memory at init, in bytes: the guest's own, and the rest.
    private(set) var guestMemory = 0
    private(set) var otherMemory = 0

    init(_ machine: Machine, kernel: String, initrd: String) throws {
        let process = try ObservedProcess(
            machine.path, machine.arguments(kernel: kernel, initrd: initrd), limit: 1200)
        var begun = 0.0
        while let line = process.line() {
            let words = line.split(separator: " ")
            switch words.first {
            case "@init":
                start = try process.seconds()
                (guestMemory, otherMemory) = try process.memory(guestSize: Self.memory)
            case "@begin": begun = try process.seconds()
            case "@end" where words.count == 3: loads[String(words[1])] = try process.seconds() - begun
            case "@failed": throw BenchmarkError("\(machine.name): the load says \(line)")
            default: break
            }
        }
        let status = process.wait()
        guard status == 0, loads["nothing"] != nil else {
            let text = process.transcript.suffix(20).joined(separator: "\n")
            throw BenchmarkError("\(machine.name) ended with \(status) before all loads had run:\n\(text)")
        }
    }
}
