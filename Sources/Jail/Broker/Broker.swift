internal import CJail
internal import Glibc
internal import HostNetwork
internal import HostSockets
internal import HostSystem

/// Does for a jailed process what it cannot do itself, and nothing else: it starts passt for a card that has one, and connects to the
/// sockets of `JailSettings.socketPath`. It runs in the monitor, on one thread.
///
/// The process may be in a guest's hands: every request is checked against the settings, and their number is limited.
package final class Broker {
    /// The most requests of each kind in `window` nanoseconds. A passt that fails is started again after 0.2 s at the earliest.
    private static let mostStarts = 32
    private static let mostConnections = 512
    private static let window: UInt64 = 10_000_000_000
    /// The most messages that one call serves, so that the monitor has time for its other work.
    private static let mostMessages = 64

    /// The numbers of cards for which `laterPasst` is asked.
    private static let laterCards = 1...1023

    private let settings: JailSettings
    private let clock: () -> UInt64
    /// By the number of the card.
    private var programs: [Int: PasstProcess] = [:]
    /// The passt of a card that the settings lack: of one that the machine has got since.
    private let laterPasst: (_ card: Int) -> JailSettings.Passt?
    private var starts = RequestBudget(limit: mostStarts, window: window)
    private var connections = RequestBudget(limit: mostConnections, window: window)
    /// The first system call that a filter has refused to the process, with the thread's role.
    package private(set) var forbiddenCall: ForbiddenCall?

    /// - Parameter laterPasst: says what may be started for a card that the settings lack. Nothing of the machine's process is its source.
    package init(
        _ settings: JailSettings, clock: @escaping () -> UInt64 = { HostClock.monotonic() },
        laterPasst: @escaping (_ card: Int) -> JailSettings.Passt? = { _ in nil }
    ) {
        self.settings = settings
        self.clock = clock
        self.laterPasst = laterPasst
    }

    /// Serves the requests that have arrived.
    ///
    /// - Returns: false when the process has closed the connection.
    package func serve(_ socket: Int32) -> Bool {
        for _ in 0..<Self.mostMessages {
            switch Reception(from: socket) {
            case .none: return true
            case .end: return false
            case .malformed: continue
            case .message(let message): serve(message, socket)
            }
        }
        return true
    }

    /// Ends the programs that were started, and removes the socket's file. Once the process has ended.
    package func finish() {
        for program in programs.values { program.end() }
        programs = [:]
        if let path = settings.socketPath { LeftOverSocket.remove(path) }
    }

    private func serve(_ message: consuming ReceivedMessage, _ socket: Int32) {
        switch message.kind {
        case .startPasst:
            let card = Int(message.argument)
            answer(message, socket) { () throws(SystemError) in try startPasst(card) }
        case .connect:
            let port = message.argument
            answer(message, socket) { () throws(SystemError) in try connect(port) }
        case .forbiddenCall:
            let call = ForbiddenCall(number: message.argument, role: ThreadRole(rawValue: message.result) ?? .other)
            forbiddenCall = forbiddenCall ?? call
        case .hello, .go, .failure, .ended, nil: break
        }
    }

    private func answer(
        _ message: borrowing ReceivedMessage, _ socket: Int32, _ body: () throws(SystemError) -> [Int32]
    ) {
        var reply = aerie_jail_message(
            kind: message.kind?.rawValue ?? 0, sequence: message.sequence, argument: message.argument, result: 0)
        var descriptors: [Int32] = []
        do throws(SystemError) {
            descriptors = try body()
        } catch {
            reply.result = UInt32(bitPattern: error.code)
        }
        // A process that does not take its answers does not get them: the monitor waits for nobody.
        _ = aerie_jail_send(socket, &reply, descriptors, Int32(descriptors.count))
        for descriptor in descriptors { close(descriptor) }
    }

    private func startPasst(_ card: Int) throws(SystemError) -> [Int32] {
        let known = settings.passt.first { $0.card == card }
        guard known != nil || Self.laterCards.contains(card) else {
            throw SystemError("passt of this card", code: EPERM)
        }
        guard starts.take(at: clock()) else { throw SystemError("starting passt", code: EAGAIN) }
        guard let command = known ?? laterPasst(card) else { throw SystemError("passt of this card", code: EPERM) }
        programs[card]?.end()
        programs[card] = nil
        let started = try ChildPasstStarter(path: command.path, arguments: command.arguments).startProcess()
        programs[card] = started.process
        guard let messages = started.process.takeMessages() else { preconditionFailure("a new passt has its messages") }
        return [started.socket, messages]
    }

    private func connect(_ port: UInt32) throws(SystemError) -> [Int32] {
        guard let path = settings.socketPath else { throw SystemError("connecting", code: EPERM) }
        guard connections.take(at: clock()) else { throw SystemError("connecting", code: EAGAIN) }
        let socket = UnixSocketBackend.connect(to: path, port: port)
        guard socket >= 0 else { throw .last("connect") }
        return [socket]
    }
}
