import Foundation
import GuestToolchain
import TestSupport
import Testing

/// The threads of a machine's process.
@Suite("Threads") struct ThreadTests {
    private let directory = TemporaryDirectory()

    /// The names of the threads, sorted, while the guest sleeps.
    private func threads(_ options: [String]) throws -> (names: () -> [String], end: () -> Void) {
        let (input, output) = (Pipe(), Pipe())
        let program = try ChildProgram(
            AerieProcess.path(of: "aerie-vm"),
            ["--firmware", try directory.file("firmware", GuestProgram.sleep), "--memory", "16M", "--cpus", "4"]
                + options,
            input: input.fileHandleForReading.fileDescriptor, output: output.fileHandleForWriting.fileDescriptor)
        // The guest's first character: everything has started by then.
        #expect(try output.fileHandleForReading.read(upToCount: 1) == Data(">".utf8))
        let machine = try #require(MachineProcesses.machine(of: program.identifier))
        let tasks = "/proc/\(machine)/task"
        let names = {
            let numbers = (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []
            return numbers.compactMap { number in
                try? String(contentsOfFile: "\(tasks)/\(number)/comm", encoding: .utf8)
                    .trimmingCharacters(in: .newlines)
            }.sorted()
        }
        let end = {
            // Held until here, so that the guest's console does not end.
            _ = (input, output)
            program.kill()
        }
        return (names, end)
    }

    @Test(
        "A machine with 4 vCPUs and 8 idle devices has the threads of a machine with the fewest devices: none for a device"
    )
    func idleDevices() throws {
        let disks = try (0..<4).flatMap { ["--disk", try directory.file("disk\($0)", Data(count: 4096))] }
        // With the serial port, the clock and the random numbers: eight.
        let many = try threads(disks + ["--control-port"])
        defer { many.end() }
        let few = try threads([])
        defer { few.end() }
        // Helpers of the process, as for signals, may come and go in its first moments. The limit is for a failure.
        let deadline = ContinuousClock.now + .seconds(60)
        while many.names() != few.names(), ContinuousClock.now < deadline { usleep(10_000) }
        #expect(many.names() == few.names())
        #expect(many.names().filter { $0 == "io" }.count == 1)
        #expect(many.names().filter { $0.hasPrefix("vcpu") } == ["vcpu0", "vcpu1", "vcpu2", "vcpu3"])
    }

    @Test("The main thread of the process, a copy of its monitor's, only waits for the one that runs the machine")
    func mainThread() throws {
        let machine = try threads([])
        defer { machine.end() }
        // A thread that is new has the name of the one that began it.
        #expect(Patience.wait { machine.names().filter { $0 == "machine" }.count == 1 })
        #expect(machine.names().filter { $0 == "aerie-vm" }.count == 1)
    }
}
