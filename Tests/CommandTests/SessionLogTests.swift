import Foundation
import GuestToolchain
import Testing

@Suite("The log of a run") struct SessionLogTests {
    private let aerie: AerieProcess
    private let machine: [String]

    init() throws {
        aerie = try AerieProcess()
        machine = ["--firmware", try aerie.directory.file("firmware", GuestProgram.powerOff), "--memory", "16M"]
    }

    private func run(_ arguments: [String], program: String = "aerie") throws -> AerieResult {
        try aerie.run((program == "aerie" ? ["run"] : []) + machine + arguments, program: program)
    }

    @Test("By default a machine that runs well logs nothing")
    func quiet() throws {
        let result = try run([])
        #expect(result.code == 0)
        #expect(result.error == "")
    }

    @Test("Info messages are the machine's life, on standard error", arguments: ["aerie", "aerie-vm"])
    func life(program: String) throws {
        let result = try run(["--log-level", "info"], program: program)
        #expect(
            result.error
                == "\(program): info: machine: started\n\(program): info: machine: ended: the guest powered off\n")
    }

    @Test("A log file gets the messages with times, after those of earlier runs", arguments: ["aerie", "aerie-vm"])
    func file(program: String) throws {
        let path = aerie.directory.path("log")
        for _ in 0..<2 {
            let result = try run(["--log-level=info", "--log-file", path], program: program)
            #expect(result.code == 0)
            #expect(result.error == "")
        }
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init)
        #expect(
            lines.map { $0.split(separator: " ", maxSplits: 1)[1] } == [
                "info machine: started", "info machine: ended: the guest powered off", "info machine: started",
                "info machine: ended: the guest powered off",
            ])
        let time = /20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{3}Z .*/
        #expect(lines.allSatisfy { $0.wholeMatch(of: time) != nil })
    }

    @Test("A log that a full disk does not take is one line, and the machine runs", arguments: ["aerie", "aerie-vm"])
    func fullDisk(program: String) throws {
        let result = try run(["--log-level", "debug", "--log-file", "/dev/full"], program: program)
        #expect(result.code == 0)
        // `aerie` and the machine's process write one each.
        let line = "\(program): --log-file /dev/full: No space left on device; messages are lost from now on"
        #expect(Set(result.error.split(separator: "\n").map(String.init)) == [line])
    }

    @Test("A trace that a full disk does not take is one line, and the machine runs", arguments: ["aerie", "aerie-vm"])
    func fullDiskOfTrace(program: String) throws {
        // A loop that is worth translating.
        let firmware = try aerie.directory.file("loop", GuestProgram.writeLittleAndPowerOff)
        let result = try run(
            ["--firmware", firmware, "--engine", "translate", "--trace", "/dev/full"], program: program)
        #expect(result.code == 0)
        #expect(
            result.error
                == "\(program): error: --trace /dev/full: No space left on device; the trace ends here\n")
    }

    @Test("Debug messages have the control side's, too")
    func debug() throws {
        let result = try run(["--log-level", "debug"])
        #expect(result.error.hasPrefix("aerie: debug: run: starting a guest arch=riscv64 cpus=1 engine=auto firmware="))
    }

    @Test("A level that there is not, and a file that cannot be written, are refused")
    func mistakes() throws {
        let level = try run(["--log-level", "loud"])
        #expect(level.code == 64)
        #expect(
            level.error
                == "aerie: --log-level: 'loud' is not known; use one of error, warning, info, debug\n")
        let file = try run(["--log-file", "absent/log"])
        #expect(file.code == 65)
        #expect(
            file.error
                == "aerie: --log-file absent/log: No such file or directory; choose a file in a directory that can "
                + "be written to\n")
    }
}
