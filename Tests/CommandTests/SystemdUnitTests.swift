import Foundation
import GuestToolchain
import Testing

@Suite("Units for systemd")
struct SystemdUnitTests {
    private let aerie: AerieProcess
    private let state: String
    private static let verifier = "/usr/bin/systemd-analyze"

    init() throws {
        aerie = try AerieProcess()
        // Everything that systemd's syntax gives a meaning.
        state = aerie.directory.url.path + "/a b%c\"$d"
        _ = try aerie.directory.file("off.bin", GuestProgram.powerOff)
    }

    private func run(_ arguments: [String]) throws -> AerieResult {
        try aerie.run(arguments, environment: ["XDG_STATE_HOME": state])
    }

    /// The unit's lines with this key.
    private func values(_ key: String, _ unit: String) -> [String] {
        unit.split(separator: "\n").filter { $0.hasPrefix("\(key)=") }.map { String($0.dropFirst(key.utf8.count + 1)) }
    }

    @Test("A machine that is kept is started and stopped by its ID, and its policy is systemd's, too")
    func kept() throws {
        let options = ["--network", "none", "--firmware", "off.bin", "--stop-timeout", "7"]
        let policies = [
            ("no", "no"), ("always", "always"), ("on-failure", "on-failure"), ("on-failure:3", "on-abnormal"),
        ]
        for (index, policy) in policies.enumerated() {
            let made = try run(["create", "--name", "m\(index)", "--restart", policy.0] + options)
            #expect(made.code == 0, "\(made.error)")
            let id = made.output.trimmingCharacters(in: .whitespacesAndNewlines)
            let unit = try run(["generate", "systemd", "m\(index)"])
            #expect(unit.code == 0, "\(unit.error)")
            let home = aerie.directory.url.path
            #expect(
                unit.output == """
                    # Made by 'aerie generate systemd'.
                    [Unit]
                    Description=Virtual machine m\(index)

                    [Service]
                    Type=forking
                    Environment=XDG_CACHE_HOME=\(home)/cache
                    Environment=XDG_DATA_HOME=\(home)/data
                    Environment="XDG_STATE_HOME=\(home)/a b%%c\\"$d"
                    ExecStart=\(AerieProcess.executable) start \(id)
                    ExecStop=\(AerieProcess.executable) stop \(id)
                    Restart=\(policy.1)
                    TimeoutStopSec=37
                    TimeoutStartSec=infinity
                    KillMode=mixed

                    [Install]
                    WantedBy=default.target

                    """)
        }
    }

    @Test("A machine that is made at each start has the words that made it, quoted for systemd")
    func new() throws {
        let options = ["--network", "none", "--firmware", "off.bin"]
        let made = try run(
            ["create", "--name", "m", "--restart=on-failure:3", "--label", "text=50% of $HOME; \"it's\" \\ all"]
                + options)
        #expect(made.code == 0, "\(made.error)")
        let unit = try run(["generate", "systemd", "--new", "m"]).output
        let program = AerieProcess.executable
        #expect(values("WorkingDirectory", unit) == [aerie.directory.url.path])
        #expect(values("ExecStartPre", unit) == ["-\(program) rm --force m"])
        #expect(
            values("ExecStart", unit) == [
                program + " run --detach --rm --name m --label "
                    + #""text=50%% of $$HOME; \"it's\" \\ all" --network none --firmware off.bin"#
            ])
        #expect(values("ExecStop", unit) == ["\(program) stop m"])
        #expect(values("Restart", unit) == ["on-failure"])
    }

    @Test("A machine of a project has no words of its own")
    func ofProject() throws {
        let file = "name: p\nservices: {a: {firmware: off.bin, network_mode: none}}"
        try Data(file.utf8).write(to: aerie.directory.url.appending(path: "aerie.yaml"))
        #expect(try run(["up"]).code == 0)
        defer { _ = try? run(["down"]) }
        let result = try run(["generate", "systemd", "--new", "p-a"])
        #expect(result.code == 64)
        #expect(
            result.error
                == "aerie: --new: machine 'p-a' was not made by 'aerie run' or 'aerie create'; leave --new out\n")
        #expect(try run(["generate", "systemd", "nobody"]).code == 64)
    }

    @Test(
        "systemd finds nothing wrong with the units",
        .enabled("needs systemd-analyze") { FileManager.default.isExecutableFile(atPath: Self.verifier) })
    func verified() throws {
        let options = ["--network", "none", "--firmware", "off.bin", "--label", "text=50% of $HOME; \"it's\" \\ all"]
        #expect(try run(["create", "--name", "m"] + options).code == 0)
        for (name, flags) in [("kept", []), ("new", ["--new"])] {
            let unit = try run(["generate", "systemd", "m"] + flags).output
            let path = try aerie.directory.file("\(name).service", Data(unit.utf8))
            let messages = try aerie.directory.file("messages", Data())
            let error = try aerie.directory.writer(messages)
            let verifier = try ChildProgram(
                Self.verifier, ["--user", "--man=no", "verify", path],
                environment: aerie.environment.merging(["XDG_RUNTIME_DIR": aerie.directory.path]) { $1 },
                error: error.fileDescriptor)
            #expect(try verifier.awaitEnd() == .exited(0))
            #expect(try String(contentsOfFile: messages, encoding: .utf8) == "")
        }
    }
}
