import Aerie
import Foundation
import GuestToolchain
import MachineSession
import TestSupport
import Testing

@Suite("A script without an end on standard input", .timeLimit(.minutes(10)))
struct ScriptedConsoleTests {
    private let input = Pipe()
    private let console: TerminalChannel

    init() throws {
        console = try TerminalChannel(
            input: input.fileHandleForReading.fileDescriptor, output: FileHandle.nullDevice.fileDescriptor
        ) { _ in }
    }

    /// Asks as a guest does that only waits for input.
    private func ask() -> [UInt8] {
        for _ in 0..<InputPacer.busyAsks {
            let bytes = console.read(limit: 16)
            if !bytes.isEmpty { return bytes }
        }
        return []
    }

    @Test("Nothing more is typed once the guest was asked to power off, neither the rest nor its end")
    func endOfTyping() throws {
        try console.open()
        defer { console.close() }
        try input.fileHandleForWriting.write(contentsOf: Data(repeating: 0x79, count: 32_768))
        var typed: [UInt8] = []
        #expect(
            Patience.wait {
                typed = ask()
                return !typed.isEmpty
            })
        #expect(typed == Array(repeating: 0x79, count: 16))
        console.endScript()
        for _ in 0..<5 { #expect(ask() == []) }
        try input.fileHandleForWriting.close()
        for _ in 0..<5 { #expect(ask() == []) }
    }
}

@Suite(
    "A script without an end for Debian", .timeLimit(.minutes(10)),
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct EndlessScriptTests {
    @Test(
        "The guest boots to its prompt, and powers off in order at a signal",
        arguments: ["exec \"$@\" </dev/zero", "exec \"$@\" < <(yes)", "exec \"$@\" < <(yes '' | tr '\\n' '\\33')"])
    func powersOff(command: String) throws {
        let running = try RunningProgram(
            ["run", "--stop-timeout", "3600", "debian"], on: AerieProcess(),
            wrapper: ["/bin/bash", "-c", command, "bash"], environment: DebianImage.environment)
        #expect(running.waitForUnread(16))
        running.send(SIGTERM)
        #expect(String(decoding: running.readAll(), as: UTF8.self).contains("reboot: Power down"))
        #expect(running.end() == 0)
        #expect(running.error == "")
    }

    @Test("A request to power off that comes while the guest boots is not lost")
    func earlyRequest() throws {
        let aerie = try AerieProcess()
        let log = aerie.directory.path("log")
        let running = try RunningProgram(
            ["run", "--stop-timeout", "3600", "--log-level", "info", "--log-file", log, "debian"], on: aerie,
            environment: DebianImage.environment)
        #expect(
            Patience.wait {
                (try? String(contentsOfFile: log, encoding: .utf8))?.contains("machine: started") ?? false
            })
        running.send(SIGTERM)
        #expect(String(decoding: running.readAll(), as: UTF8.self).contains("reboot: Power down"))
        #expect(running.end() == 0)
    }
}
