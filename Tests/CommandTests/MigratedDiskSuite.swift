import Aerie
import ControlAPI
import CSockets
import Foundation
import GuestToolchain
import HostSystem
import Runtime
import TestSupport
import Testing

/// A suite whose machines have disks outside of their directory.
protocol MigratedDiskSuite: MigrationSuite {
    /// The path of a program that writes to a disk of 1 MiB, and compares what it reads with a model in its memory.
    var guest: String { get }
}

extension MigratedDiskSuite {
    static func make() throws -> (AerieProcess, echo: String, guest: String) {
        let aerie = try AerieProcess()
        let program = try Toolchain.build(["runtime.S", "guest.c", "disk.c"], flags: ["-DHARTS=1", "-DROUNDS=400"])
        return (
            aerie, try aerie.directory.file("echo", GuestProgram.echo), try aerie.directory.file("guest", Data(program))
        )
    }

    /// The directory of the disks.
    var disks: String { aerie.directory.path("disks") }

    /// Makes a disk of 1 MiB.
    ///
    /// - Parameter settings: of the option `--disk`, behind `format=`.
    func makeDisk(_ name: String, _ settings: String) throws -> String {
        try FileManager.default.createDirectory(atPath: disks, withIntermediateDirectories: true)
        let path = "\(disks)/\(name)"
        if settings == "qcow2" {
            let made = try aerie.run(["disk", "create", "\(path),format=qcow2", "1M"])
            try #require(made.code == 0, "\(made.error)")
        } else {
            try Data((0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 / 512) }).write(to: URL(filePath: path))
        }
        return path
    }

    /// Starts the guest, and waits until it has written to its disk.
    func startLoad(_ disk: String, _ settings: String, _ options: [String] = []) throws {
        let result = try aerie.run(
            ["run", "--detach", "--name", "one", "--firmware", guest, "--memory", "16M", "--network", "none"]
                + ["--disk", "\(disk),format=\(settings)"] + options)
        try #require(result.code == 0, "\(result.error)")
        #expect(try received("one", 1, recent: true).hasPrefix("."))
    }

    /// Lets the guest compare all of its disk, and power off.
    func endLoad(_ environment: [String: String]) throws {
        let client = try ControlClient(try directory(environment).find("one"))
        try client.call(.attach, ["recent": .boolean(false)])
        #expect(send(client.stream.descriptor, "e", 1, 0) == 1)
        #expect(try aerie.run(["wait", "one"], environment: environment).output == "0\n")
    }

    /// Whether somebody has a disk open for writing.
    func isLocked(_ disk: String) -> Bool {
        guard let file = try? FileDescriptor(path: disk, flags: O_RDONLY) else { return false }
        return (try? file.lock(exclusive: false)) == false
    }

    func check(_ disk: String, _ settings: String) throws {
        guard settings == "qcow2" else { return }
        let result = try aerie.run(["disk", "check", disk])
        #expect(result.code == 0, "\(result.output)\(result.error)")
    }

    /// Migrates the machine to a receiver that the test plays.
    ///
    /// - Returns: the error of `aerie migrate`.
    func withReceiver(answer: String, _ body: (TransferStream) -> Void) throws -> String {
        let listener = aerie_stream_listen(socket)
        try #require(listener >= 0)
        let sender = try RunningProgram(["migrate", "one", address], on: aerie)
        var request = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        try #require(poll(&request, 1, 60_000) == 1)
        let connection = aerie_stream_accept(listener)
        // Nobody answers questions.
        close(listener)
        unlink(socket)
        _ = fcntl(connection, F_SETFL, fcntl(connection, F_GETFL) & ~O_NONBLOCK)
        let stream = TransferStream(input: connection, output: connection)
        _ = try stream.receive(.offer)
        try stream.send(.answer, text: Array(answer.utf8))
        body(stream)
        close(connection)
        _ = sender.end()
        return sender.error
    }

    // MARK: Another view of the files

    /// What a receiver sees in the directory of the disks.
    var others: String { aerie.directory.path("others") }

    /// The words in front of a program that finds other files in the directory of the disks: those of `others`, or a small empty file system.
    func otherView(size: String? = nil) throws -> [String] {
        for path in [disks, others] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
        let mount = size.map { "mount -t tmpfs -o size=\($0) none" } ?? "mount --bind \(others)"
        return OtherView.words("\(mount) \(disks)")
    }

    /// A receiver with another view, at a path.
    func otherReceiver(at path: String? = nil, size: String? = nil) throws -> RunningProgram {
        let path = path ?? socket
        let receiver = try RunningProgram(
            ["receive", "unix:\(path)"], on: aerie, wrapper: try otherView(size: size), environment: there)
        let isListening = Patience.wait {
            Self.table("unix", of: receiver.identifier).split(separator: "\n")
                .contains { $0.hasSuffix(" \(path)") && $0.contains(" 00010000 ") }
        }
        try #require(isListening, "\(receiver.error)")
        return receiver
    }
}
