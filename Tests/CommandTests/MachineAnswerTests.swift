import ControlAPI
import Foundation
import Glibc
import GuestToolchain
import Runtime
import TestSupport
import Testing

/// What verbs say of machines that do not do what they are asked for.
@Suite("Machines that do not answer")
struct MachineAnswerTests {
    private let aerie: AerieProcess

    init() throws { aerie = try AerieProcess() }

    /// A machine as `aerie inspect` shows it.
    private struct Inspection: Decodable {
        struct Rate: Decodable, Equatable {
            let bytes: Int?
            let operations: Int?
        }
        struct Device: Decodable, Equatable {
            let rate: Rate?
            let isUp: Bool?
        }
        struct Changes: Decodable {
            let memory: Int?
            let cpuWeight: Int?
            let disks: [String: Device]?
        }
        let changes: Changes
        let created: String
        let started: String?
        let finished: String?
    }

    private func inspect(_ name: String) throws -> Inspection {
        let output = try aerie.run(["inspect", name]).output
        return try #require(try JSONDecoder().decode([Inspection].self, from: Data(output.utf8)).first)
    }

    @Test("A guest that does not give memory back is a line and code 1, and 'inspect' shows what was set until the end")
    func changes() throws {
        let disk = try aerie.directory.file("disk", Data(count: 1 << 20))
        let machine = try KeptMachine("busy", ["--disk", disk], on: aerie)
        defer { machine.remove() }
        #expect(try inspect("busy").changes.memory == nil)
        let result = try aerie.run(["set", "busy", "--memory", "8M"])
        #expect(result.code == 1)
        #expect(
            result.error.hasPrefix("aerie: --memory 8M: the guest still has 16M: it uses memory"), "\(result.error)")
        #expect(try aerie.run(["set", "busy", "--disk-rate", "0=10M"]).code == 0)
        let shown = try inspect("busy")
        #expect(shown.changes.memory == 8 << 20)
        #expect(
            shown.changes.disks == ["0": .init(rate: .init(bytes: 10 << 20, operations: nil), isUp: nil)])
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        let created = try style.parse(shown.created)
        let started = try style.parse(#require(shown.started))
        #expect(created <= started && started <= Date() && created > Date(timeIntervalSinceNow: -3600))
        #expect(shown.finished == nil)
        #expect(try aerie.run(["kill", "busy"]).code == 0)
        let ended = try inspect("busy")
        #expect(ended.changes.memory == nil)
        #expect(try style.parse(#require(ended.finished)) >= started)
        #expect(try aerie.run(["start", "busy"]).code == 0)
        #expect(try inspect("busy").changes.memory == nil)
    }

    @Test("Verbs about a machine whose process stands still end with an error, and it goes on when the process does")
    func standstill() throws {
        let machine = try KeptMachine("busy", [], on: aerie)
        defer { machine.remove() }
        let process = machine.machine.status.process
        try #require(process > 0 && kill(process, SIGSTOP) == 0)
        for words in [["pause", "busy"], ["snapshot", "create", "busy"]] {
            let result = try aerie.run(words)
            #expect(result.code == 69)
            #expect(
                result.error
                    == "aerie: machine 'busy': it does not answer; 'aerie rm --force busy' kills it\n")
        }
        #expect(kill(process, SIGCONT) == 0)
        #expect(Patience.wait { (try? aerie.run(["pause", "busy"]).code) == 0 })
        #expect(try aerie.run(["resume", "busy"]).code == 0)
    }

    @Test(
        "Options that do not fit the architecture are refused before an image is built for the guest",
        arguments: [
            (
                ["--arch", "x86_64", "--interrupts", "aia"],
                "--interrupts aia: the x86_64 machine has the interrupt controllers"
            ),
            (["--arch", "x86_64", "--cpu", "rva20"], "--cpu rva20"), (["--cpu", "x86-64-v2"], "--cpu x86-64-v2"),
            (["--engine", "kvm"], "--engine kvm: KVM runs guests of the host's own architecture"),
        ])
    func otherArchitecture(words: [String], reason: String) throws {
        for verb in ["create", "run"] {
            let result = try aerie.run([verb, "--network", "none"] + words + ["debian"])
            #expect(result.code == 64 || result.code == 69)
            #expect(result.error.hasPrefix("aerie: \(reason)"), "\(result.error)")
            #expect(result.error.split(separator: "\n").count == 1)
        }
        #expect(try aerie.run(["image", "ls", "--format", "json"]).output.filter { !$0.isWhitespace } == "[]")
    }
}
