import CSockets
import ControlAPI
import Foundation
import GuestToolchain
import HostSystem
import Runtime
import TestSupport
import Testing

/// A suite whose machines move from one directory of machines to another (`there`) by a socket of Unix.
protocol MigrationSuite: EchoSuite {}

extension MigrationSuite {
    var there: [String: String] { ["XDG_STATE_HOME": aerie.directory.path("there")] }
    var address: String { "unix:\(socket)" }
    var socket: String { aerie.directory.path("in") }

    func removeEverywhere(_ names: String...) {
        for environment in [[:], there] { _ = try? aerie.run(["rm", "--force"] + names, environment: environment) }
    }

    /// A receiver that waits at a socket; nil for that of `address`.
    ///
    /// - Parameters:
    ///   - environment: of the directory into which it receives; nil for `there`.
    ///   - wrapper: words in front of the program.
    func receiver(
        at path: String? = nil, _ environment: [String: String]? = nil, wrapper: [String] = []
    ) throws -> RunningProgram {
        let path = path ?? socket
        let receiver = try RunningProgram(
            ["receive", "unix:\(path)"], on: aerie, wrapper: wrapper, environment: environment ?? there)
        // The socket is there before it listens (__SO_ACCEPTCON).
        let isListening = Patience.wait {
            Self.table("unix", of: receiver.identifier).split(separator: "\n")
                .contains { $0.hasSuffix(" \(path)") && $0.contains(" 00010000 ") }
        }
        try #require(isListening)
        return receiver
    }

    /// A table of the sockets that a process can see (proc_pid_net(5)).
    static func table(_ name: String, of process: Int32) -> String {
        guard let file = FileHandle(forReadingAtPath: "/proc/\(process)/net/\(name)"), let data = try? file.readToEnd()
        else { return "" }
        return String(decoding: data, as: UTF8.self)
    }

    func names(_ environment: [String: String] = [:]) throws -> [String] {
        try directory(environment).machines().map(\.record.name)
    }

    func state(_ name: String, _ environment: [String: String] = [:]) -> MachineStatus.State? {
        try? directory(environment).find(name).status.state
    }
}

/// Kills a process once, however often it is asked to: later, the number may be another process's.
final class SingleKill: Sendable {
    private let process: Int32
    private let isDone = Monitor(false)

    init(of process: Int32) { self.process = process }

    func kill() {
        let isFirst = isDone.update { isDone in
            defer { isDone = true }
            return !isDone
        }
        if isFirst { Foundation.kill(process, SIGKILL) }
    }
}
