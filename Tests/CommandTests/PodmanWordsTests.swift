import ControlAPI
import Foundation
import GuestToolchain
import Runtime
import TestSupport
import Testing

/// Words that podman's users type without thinking.
@Suite("Podman's words") struct PodmanWordsTests {
    private let aerie: AerieProcess
    private let sleeper: String

    init() throws {
        aerie = try AerieProcess()
        sleeper = try aerie.directory.file("sleeper", GuestProgram.sleep)
    }

    private func run(_ arguments: String...) throws -> AerieResult { try aerie.run(arguments) }

    private func start(_ name: String, _ options: [String] = []) throws {
        let result = try aerie.run(
            ["run", "-d", "--name", name, "--firmware", sleeper, "-m", "16m", "--network", "none"] + options)
        try #require(result.code == 0, "\(result.error)")
    }

    private var names: [String] {
        StateDirectory(path: "\(aerie.directory.url.path)/.local/state/aerie/machines").machines().map(\.record.name)
    }

    @Test("Verbs are about all machines with --all, each about those that it can be about")
    func all() throws {
        try start("one")
        try start("two", ["--label", "shop"])
        #expect(try run("pause", "-a").output == "one\ntwo\n")
        #expect(try run("unpause", "two").output == "two\n")
        #expect(try run("unpause", "--all").output == "one\n")
        #expect(try run("stop", "--time", "0", "two").code == 0)
        #expect(try run("rm", "-a").output == "two\n")
        #expect(names == ["one"])
        #expect(try run("stats", "--no-stream").output.contains("one"))
        #expect(try run("kill", "--all").output == "one\n")
        #expect(try run("start", "--all").output == "one\n")
        #expect(try run("stop", "-a", "one").error == "aerie: --all: machines are named, too; leave one out\n")
        #expect(try run("rm").error == "aerie: the machines: none is named; name them, or use --all\n")
        #expect(try run("rm", "-af").output == "one\n")
        #expect(names == [])
        #expect(try run("rm", "-a").code == 0)
    }

    @Test("A machine is found by conditions for inspect, too, and its form is JSON")
    func inspect() throws {
        try start("one", ["--label", "shop"])
        try start("two")
        defer { _ = try? run("rm", "--all", "--force") }
        let result = try run("inspect", "--format", "json", "--filter", "label=shop")
        #expect(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [Any] != nil)
        #expect(result.output.contains(#""name" : "one""#) && !result.output.contains(#""name" : "two""#))
        let none = try run("inspect", "--filter", "label=none").output
        #expect(try JSONSerialization.jsonObject(with: Data(none.utf8)) as? [String] == [])
        #expect(try run("inspect").code == 64)
        #expect(try run("inspect", "--format", "text", "one").code == 64)
    }

    @Test("A signal that asks for an end in order does not wait, and others than KILL and TERM are refused")
    func signals() throws {
        try start("one")
        defer { _ = try? run("rm", "--all", "--force") }
        // This guest hears nothing.
        #expect(try run("kill", "--signal", "SIGTERM", "one").output == "one\n")
        #expect(try run("ps", "-q").output != "")
        let refused = try run("kill", "-s", "HUP", "one")
        #expect(refused.code == 64)
        #expect(refused.error.hasPrefix("aerie: --signal HUP: a machine does not know this signal; use KILL or TERM"))
        #expect(try run("kill", "-s", "kill", "one").code == 0)
        #expect(try run("ps", "-q").output == "")
    }

    @Test("A paused machine is said to be paused, and goes on to be stopped")
    func paused() throws {
        let guest = try KeptMachine("one", [], on: aerie)
        defer { guest.remove() }
        #expect(try run("pause", "one").code == 0)
        #expect(try run("stop", "--time", "0", "one").code == 0)
        #expect(guest.machine.status.state == .exited)
    }

    @Test("A directory of machines that cannot be read is an error, and a full one says what to do")
    func directories() throws {
        let state = aerie.directory.url.appending(path: "full")
        try FileManager.default.createDirectory(at: state, withIntermediateDirectories: true)
        let words = ["/usr/bin/unshare", "--user", "--map-root-user", "--mount", "/bin/sh", "-c"]
        let full = try aerie.run(
            ["create", "--firmware", sleeper, "--label", "long=\(String(repeating: "x", count: 8192))"],
            wrapper: words + [
                "mount -t tmpfs -o size=4k none \(state.path) && XDG_STATE_HOME=\(state.path) exec \"$@\"", "sh",
            ])
        #expect(full.code != 0)
        #expect(full.error.contains("No space left on device"), "\(full.error)")
        #expect(full.error.contains("set XDG_STATE_HOME"), "\(full.error)")
    }

    @Test("Short options have their values joined or behind them, and go before the image")
    func shortOptions() throws {
        let result = try aerie.run(
            [
                "create", "-m16m", "-p", "127.0.0.1:18080:80", "-v", "/tmp:/work", "--hostname", "bad_name", "debian",
                "true", "-p",
            ])
        #expect(result.code == 64)
        #expect(result.error.hasPrefix("aerie: --hostname bad_name: it is not a valid host name"), "\(result.error)")
        let other = try aerie.run(["run", "-h", "box", "--firmware", sleeper])
        #expect(other.error.hasPrefix("aerie: --hostname box: the guest is not an image's"), "\(other.error)")
        let help = try aerie.run(["create", "--help"])
        #expect(!help.output.contains("-h, --help"))
        let since = try aerie.run(["logs", "--since", "5 minutes", "none"])
        #expect(since.code == 64)
    }

    @Test("A command in the background has a directory, an environment and a user")
    func detachedCommand() throws {
        let wrong = try aerie.run(["run", "-dit", "-u", "9x", "debian", "true"])
        #expect(wrong.error.hasPrefix("aerie: --user 9x: it is not a valid user"), "\(wrong.error)")
        let agent = try aerie.run(["run", "-d", "--ssh", "debian", "true"])
        #expect(agent.error.contains("use 'aerie exec --ssh'"), "\(agent.error)")
    }
}
