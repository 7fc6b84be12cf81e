internal import CLinux
internal import ControlAPI
internal import Glibc
internal import HostSystem
internal import Runtime

/// Follows the states of a machine that is kept, on a thread of its own.
///
/// The machine's monitor replaces its status file with each change, which inotify(7) reports. A connection to the machine's process, with a request to
/// wait for its end, reports a death that nobody is left to write down.
final class MachineStateWatch: Sendable {
    /// Milliseconds between two looks at a machine to which there is no connection just now.
    private static let interval: Int32 = 50

    private let machine: Machine
    private let continuation: AsyncStream<VirtualMachine.State>.Continuation
    private let wake: WakeEvent
    /// The report of the end of a machine that this program attends to.
    private let attendedEnd: @Sendable () -> JSONValue?
    private let isCancelled = Monitor(false)

    /// Begins a sequence with the present state.
    static func start(
        _ machine: Machine, _ continuation: AsyncStream<VirtualMachine.State>.Continuation,
        attendedEnd: @escaping @Sendable () -> JSONValue?
    ) {
        do {
            let watch = MachineStateWatch(machine, continuation, try WakeEvent(), attendedEnd)
            continuation.onTermination = { _ in
                watch.isCancelled.withLock { $0 = true }
                watch.wake.signal()
            }
            _ = try HostThread(name: "machine-states") { watch.run() }
        } catch {
            // Without threads or descriptors there is nothing but the state of now.
            continuation.yield(VirtualMachine.State(machine))
            continuation.finish()
        }
    }

    private init(
        _ machine: Machine, _ continuation: AsyncStream<VirtualMachine.State>.Continuation, _ wake: WakeEvent,
        _ attendedEnd: @escaping @Sendable () -> JSONValue?
    ) {
        self.attendedEnd = attendedEnd
        self.machine = machine
        self.continuation = continuation
        self.wake = wake
    }

    private func run() {
        defer { continuation.finish() }
        let events = aerie_watch_directory(machine.directory)
        defer { if events >= 0 { close(events) } }
        var last: VirtualMachine.State?
        var client: ControlClient?
        // The end of a machine that is removed with it.
        var end: VirtualMachine.Outcome?
        while !isCancelled.withLock({ $0 }) {
            let isGone = machine.isGone
            if isGone { end = end ?? attendedEnd().map { VirtualMachine.Outcome($0) } }
            let state = isGone ? .ended(end ?? .stopped) : VirtualMachine.State(machine)
            if state != last {
                continuation.yield(state)
                if state.isEnd, let last, !last.isEnd { return }
            }
            last = state
            if isGone { return }
            if client == nil, state == .running || state == .paused || state == .starting {
                client = try? ControlClient(machine)
                try? client?.begin(.wait)
            }
            let isLive = state != .created && !state.isEnd
            let (hasNews, isOver) = wait(
                events, client?.stream.descriptor ?? -1, timeout: client == nil && isLive ? Self.interval : -1)
            if hasNews { Self.drain(events) }
            guard isOver else { continue }
            if let answer = try? client?.awaitAnswer() { end = VirtualMachine.Outcome(answer) }
            client = nil
        }
    }

    /// - Returns: whether files of the machine have changed, and whether its process has something to say or has ended.
    private func wait(_ events: Int32, _ client: Int32, timeout: Int32) -> (hasNews: Bool, isOver: Bool) {
        var entries = [events, wake.descriptor, client].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        guard poll(&entries, UInt(entries.count), timeout) > 0 else { return (false, false) }
        return (entries[0].revents != 0, entries[2].revents != 0)
    }

    private static func drain(_ events: Int32) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while read(events, &buffer, buffer.count) > 0 {}
    }
}

extension VirtualMachine.State {
    fileprivate var isEnd: Bool {
        if case .ended = self { true } else { false }
    }

    init(_ machine: Machine) {
        let status = machine.status
        self =
            switch status.state {
            case .created: .created
            case .starting, .restarting: .starting
            case .running: .running
            case .paused: .paused
            case .exited:
                .ended(VirtualMachine.Outcome(code: status.exitCode ?? 0, error: status.error, kind: status.outcome))
            }
    }
}

extension VirtualMachine.Outcome {
    /// The outcome of a machine whose process ended.
    ///
    /// - Parameters:
    ///   - error: nil for an end in order.
    ///   - kind: the name of an `EndKind`; nil of a machine that ended under a program that did not know it.
    init(code: Int32, error: String?, kind: String?) {
        if error == nil, let kind = kind.flatMap({ EndKind(rawValue: $0) }), let outcome = Self(kind, code: code) {
            self = outcome
        } else if let error {
            let deaths: [Self] = [.panicked, .watchdogExpired]
            self = deaths.first { error.divided(at: $0.deathOfTheGuest ?? "") != nil } ?? .crashed(error)
        } else if code == 0 {
            self = .poweredOff
        } else {
            self = code == 128 + SIGKILL ? .stopped : .failed(code: Int(code))
        }
    }

    /// - Parameter answer: to the request to wait for the end.
    fileprivate init(_ answer: JSONValue) {
        let error = answer["error"].flatMap { AerieError(json: $0) }
        self.init(
            code: Int32(clamping: answer["code"]?.integer ?? 0), error: error?.description,
            kind: answer["outcome"]?.string)
    }

    /// An end in order; nil for one that has a reason, which is the error of the machine's process.
    private init?(_ kind: EndKind, code: Int32) {
        switch kind {
        case .poweredOff: self = .poweredOff
        case .failed: self = .failed(code: Int(code))
        case .reset: self = .reset
        case .stopped: self = .stopped
        case .panicked, .watchdogExpired, .crashed: return nil
        }
    }
}
