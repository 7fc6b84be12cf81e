internal import Aerie
internal import AerieMachines
internal import ControlAPI
internal import Foundation
internal import HostSystem
internal import Runtime

/// A machine as `aerie ps` shows it.
struct MachineListing: Encodable {
    let id: String
    let name: String
    let image: String?
    let command: [String]
    let labels: [String: String]
    let state: String
    let created: Date
    let started: Date?
    let finished: Date?
    let exitCode: Int32?
    /// How the machine has ended: a case of `VirtualMachine.Outcome`.
    let outcome: String?
    let error: String?
    let restarts: Int
    /// Nil without a health check.
    let health: String?
    /// The process that runs the guest.
    let process: Int32?
    let ports: [String]
    /// Nil if the guests are not asked; empty for a guest that does not answer.
    var addresses: [GuestAddress]?
    let architecture: String
    let cpus: Int
    /// Bytes.
    let memory: UInt64

    init(_ machine: Machine) {
        let record = machine.record
        let status = machine.status
        func date(_ nanoseconds: UInt64?) -> Date? {
            nanoseconds.map { Date(timeIntervalSince1970: Double($0) / 1e9) }
        }
        id = record.id
        name = record.name
        image = record.image?.reference
        command = record.command
        labels = record.labels
        state = status.state.rawValue
        let isUp = [.running, .paused].contains(status.state)
        created = Date(timeIntervalSince1970: Double(record.created) / 1e9)
        started = date(status.started)
        finished = date(status.finished)
        exitCode = status.state == .exited ? status.exitCode : nil
        outcome = status.state == .exited ? status.outcome : nil
        error = status.error
        restarts = status.restarts
        health = isUp ? status.health?.rawValue : nil
        process = status.process > 0 ? status.process : nil
        ports = record.configuration.publishedPorts.map { port in
            "\(port.address):\(port.hostPort)->\(port.guestPort)/\(port.transport.rawValue)"
        }
        architecture = record.configuration.architecture.rawValue
        cpus = record.configuration.cpus
        memory = record.configuration.memory.bytes
    }

    /// The addresses for people: those that reach farther than their link.
    var reachableAddresses: [String] { (addresses ?? []).filter { !$0.isLinkLocal }.map(\.address) }

    /// Whether the machine has processes.
    var isLive: Bool { !["created", "exited"].contains(state) }

    /// For people, as podman says it: `Up 3 minutes`, `Exited (0) 2 hours ago`.
    func stateText(now: Date = Date()) -> String {
        func since(_ date: Date?) -> String { date.map { Self.duration(now.timeIntervalSince($0)) } ?? "some time" }
        switch state {
        case "running": return "Up \(since(started))" + (health.map { " (\($0))" } ?? "")
        case "paused": return "Up \(since(started)) (paused)"
        case "exited": return "Exited (\(exitCode ?? 0)) \(since(finished)) ago\(endText)"
        default: return state.prefix(1).uppercased() + state.dropFirst()
        }
    }

    /// What an exit code does not say.
    private var endText: String {
        switch outcome.flatMap(EndKind.init(rawValue:)) {
        case .reset: ", by a reset"
        case .panicked: ", kernel panic"
        case .watchdogExpired: ", watchdog expired"
        case .poweredOff, .failed, .crashed, .stopped, nil: ""
        }
    }

    /// In the largest unit of which there are at least two.
    static func duration(_ seconds: Double) -> String {
        let units = [(86_400.0, "day"), (3600, "hour"), (60, "minute"), (1, "second")]
        for (length, name) in units where seconds >= 2 * length || length == 1 {
            let count = Int(max(seconds, 0) / length)
            return "\(count) \(name)\(count == 1 ? "" : "s")"
        }
        return "a moment"
    }
}
