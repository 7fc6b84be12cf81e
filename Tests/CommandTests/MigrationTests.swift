import Aerie
import ControlAPI
import CSockets
import Foundation
import GuestToolchain
import Runtime
import TestSupport
import Testing

/// `aerie migrate` and `aerie receive`, with guests of a few instructions, between two directories of machines.
@Suite("Migration of machines") struct MigrationTests: MigrationSuite {
    let aerie: AerieProcess
    let echo: String

    init() throws {
        aerie = try AerieProcess()
        echo = try aerie.directory.file("echo", GuestProgram.echo)
    }

    @Test("A machine goes on where it is received, and is gone where it was, there and back")
    func life() throws {
        try start("one")
        defer { removeEverywhere("one", "two") }
        #expect(try echoes("one", "a") == "a")
        let receiver = try receiver()
        let sent = try aerie.run(["migrate", "one", address])
        #expect(sent.code == 0 && sent.output == "one\n", "\(sent.error)")
        #expect(receiver.end() == 0)
        #expect(String(decoding: receiver.readAll(), as: UTF8.self) == "one\n")
        #expect(try names() == [])
        #expect(try names(there) == ["one"])
        // It does not greet again: it goes on where it was.
        #expect(try echoes("one", "b", there) == "b")

        // Back, by a port, and under another name.
        let port = try freePort()
        let back = try RunningProgram(["receive", "127.0.0.1:\(port)", "--name", "two"], on: aerie)
        let program = back.identifier
        try #require(Patience.wait { Self.listens(port, program) })
        let returned = try aerie.run(["migrate", "one", "127.0.0.1:\(port)"], environment: there)
        #expect(returned.code == 0 && returned.output == "two\n", "\(returned.error)")
        #expect(back.end() == 0)
        #expect(try names() == ["two"])
        #expect(try names(there) == [])
        #expect(try echoes("two", "c") == "c")
        // A paused machine moves as well, and goes on.
        #expect(try aerie.run(["pause", "two"]).code == 0)
        let last = try self.receiver()
        let report = try aerie.run(["migrate", "two", address, "--bandwidth", "64M", "--compress", "--format", "json"])
        #expect(report.code == 0 && report.output.contains(#""name" : "two""#), "\(report.error)")
        #expect(last.end() == 0)
        #expect(try echoes("two", "d", there) == "d")
        let slow = try aerie.run(["migrate", "two", address, "--bandwidth", "1K"], environment: there)
        #expect(
            slow.error
                == "aerie: --bandwidth 1K: it is not a rate from 64K to 1T; give bytes a second, such as 20M\n")
    }

    private func freePort() throws -> UInt16 {
        let listener = aerie_loopback_listen(0)
        defer { close(listener) }
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &size) }
        }
        try #require(result == 0)
        return UInt16(bigEndian: address.sin_port)
    }

    /// Whether a process listens at a port: a connection would be the transfer's.
    private static func listens(_ port: UInt16, _ program: Int32) -> Bool {
        let digits = String(port, radix: 16, uppercase: true)
        let end = "0100007F:" + String(repeating: "0", count: 4 - digits.count) + digits
        return table("tcp", of: program).contains("\(end) 00000000:0000 0A")
    }

    @Test("A transfer that a signal interrupts ends at once, and the machine goes on where it was")
    func interruption() throws {
        try start("one")
        defer { removeEverywhere("one") }
        let receiver = try receiver()
        let sender = try RunningProgram(["migrate", "one", address, "--bandwidth", "64K"], on: aerie)
        // It takes nothing more: what is sent from now on would wait for a minute.
        let machines = aerie.directory.path("there/aerie/machines")
        let hasBegun = Patience.wait {
            (try? FileManager.default.contentsOfDirectory(atPath: machines))?.contains { $0.hasPrefix(".new-") } == true
        }
        receiver.send(SIGSTOP)
        #expect(hasBegun && receiver.waitUntilStopped())
        sender.send(SIGINT)
        #expect(sender.end() == -SIGINT)
        #expect(sender.error == "aerie: migrating machine 'one': interrupted; the machine goes on here\n")
        #expect(try echoes("one", "x") == "x")
        receiver.send(SIGCONT)
        #expect(receiver.end() == 74)
        #expect(try names(there) == [])
    }

    @Test("What the receiver refuses is said at both ends, and the machine goes on where it was")
    func refusals() throws {
        try start("one")
        defer { removeEverywhere("one") }
        let other = try aerie.run(
            ["run", "--detach", "--name", "one", "--firmware", echo, "--memory", "16M", "--network", "none"],
            environment: there)
        #expect(other.code == 0)
        let receiver = try receiver()
        let refused = try aerie.run(["migrate", "one", address])
        let line =
            "aerie: a machine named 'one': the receiver has one already; give the machine another name there, with 'aerie receive --name NEW'\n"
        #expect(refused.code == 64 && refused.error == line)
        #expect(receiver.end() == 64)
        #expect(receiver.error == line)
        #expect(try echoes("one", "x") == "x")
        let lines = [
            ["migrate", "one", "unix:nowhere"]:
                "aerie: the receiver at unix:nowhere: No such file or directory; start 'aerie receive unix:nowhere' first\n",
            ["migrate", "one", "192.0.2.1:7000"]:
                "aerie: the address '192.0.2.1:7000': anybody on the way could read and change the machine; give ssh:192.0.2.1\n",
            ["migrate", "one", "here"]:
                "aerie: the address 'here': it is not one of a transfer; give unix:PATH, 127.0.0.1:PORT, ssh:HOST or -\n",
            ["receive", "ssh:host"]: "aerie: receiving over ssh: the sender starts it; give - instead\n",
        ]
        for (words, line) in lines { #expect(try aerie.run(words).error == line) }
        #expect(try aerie.run(["stop", "--time", "0", "one"]).code == 0)
        #expect(try aerie.run(["migrate", "one", address]).error.contains("it is not running"))
    }

    /// How far a receiver goes before it ends the connection.
    enum Step: CaseIterable, Sendable { case connected, offered, answered, memory, complete, ready, committed }

    @Test(
        "A receiver that goes away at any step leaves the machine running; after the handover it stands still, which the error says"
    )
    func lostReceiver() throws {
        try start("one")
        defer { removeEverywhere("one") }
        for step in Step.allCases {
            let listener = aerie_stream_listen(socket)
            try #require(listener >= 0)
            defer {
                close(listener)
                unlink(socket)
            }
            let sender = try RunningProgram(["migrate", "one", address], on: aerie)
            Self.receive(listener, until: step)
            let code = sender.end()
            #expect(code != 0, "\(step)")
            #expect(sender.error.hasPrefix("aerie: migrating machine 'one': "), "\(step): \(sender.error)")
            if sender.error.contains("it stands still here; if it does not run there") {
                #expect(step == .ready || step == .committed)
                #expect(Patience.wait { (try? directory().find("one").status.state) == .paused })
                #expect(try aerie.run(["resume", "one"]).code == 0)
            } else {
                #expect(step != .committed)
            }
            #expect(try echoes("one", "x") == "x", "\(step)")
        }
    }

    private static func receive(_ listener: Int32, until step: Step) {
        var request = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        guard poll(&request, 1, 60_000) == 1 else { return }
        let connection = aerie_stream_accept(listener)
        defer { close(connection) }
        _ = fcntl(connection, F_SETFL, fcntl(connection, F_GETFL) & ~O_NONBLOCK)
        let stream = TransferStream(input: connection, output: connection)
        if step == .connected { return }
        guard (try? stream.receive(.offer)) != nil, step != .offered else { return }
        try? stream.send(.answer, text: Array("{}".utf8))
        if step == .answered { return }
        while let (frame, _) = try? stream.receive(), frame.kind != .complete {
            if step == .memory, frame.file == TransferredFile.memory { return }
        }
        if step == .complete { return }
        try? stream.send(.ready)
        if step == .ready { return }
        _ = try? stream.receive(.commit)
    }

    @Test("What is no transfer, and a machine that could not be one, leave nothing at the receiver")
    func hostileSender() throws {
        try start("one")
        defer { removeEverywhere("one") }
        let record = try directory().find("one").record
        func offer(_ change: (inout MigrationOffer) -> Void) throws -> [UInt8] {
            var offer = MigrationOffer(machine: record, memory: 16 << 20, disks: [])
            change(&offer)
            return try JSONValue(encoding: offer).text
        }
        let texts: [[UInt8]] = [
            Array("no JSON".utf8), Array("{}".utf8), try offer { $0.version = 9 },
            try offer { $0.machine.name = "../x" },
            try offer { $0.disks = [MigrationOffer.File(name: "../../x")] },
            try offer { $0.disks = [MigrationOffer.File(name: "base-zz/../../../../x.qcow2")] },
            try offer { $0.disks = Array(repeating: MigrationOffer.File(name: "root.qcow2"), count: 2) },
            try offer { $0.machine.version = 9 },
        ]
        for text in texts {
            let receiver = try receiver()
            let connection = aerie_stream_connect(socket)
            _ = fcntl(connection, F_SETFL, fcntl(connection, F_GETFL) & ~O_NONBLOCK)
            let stream = TransferStream(input: connection, output: connection)
            try? stream.send(.offer, text: text)
            _ = try? stream.receive()
            close(connection)
            #expect(receiver.end() > 0)
            #expect(receiver.error.hasPrefix("aerie: "))
            #expect(receiver.error.split(separator: "\n").count == 1)
        }
        #expect(try names(there) == [])
        let machines = "\(aerie.directory.path("there"))/aerie/machines"
        let left = (try? FileManager.default.contentsOfDirectory(atPath: machines)) ?? []
        #expect(left.filter { $0 != ".lock" } == [])
    }
}
