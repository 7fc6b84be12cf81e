internal import CJail
internal import Glibc
package import HostNetwork
internal import HostSystem

/// The jailed process's way to the `Broker` of its monitor. Any thread.
package final class BrokerClient: Sendable {
    /// Milliseconds to wait for an answer: the monitor answers at once unless somebody has stopped it.
    private static let patience: Int32 = 1000

    let socket: Int32
    /// The number of the last request. Held during a request.
    private let sequence = Monitor<UInt32>(0)

    /// - Parameter socket: stays open as long as the process.
    init(socket: Int32) { self.socket = socket }

    /// The starter of passt for the card with this index.
    package func passt(card: Int) -> any PasstStarter { BrokeredPasst(client: self, card: card) }

    /// Connects to the program that serves a port for the guest: a descriptor that does not block; -1 where none does.
    package func connect(port: UInt32) -> Int32 {
        guard var answer = try? request(.connect, port), let descriptor = answer.takeFirst() else { return -1 }
        return descriptor.release()
    }

    func request(_ kind: JailMessageKind, _ argument: UInt32) throws(SystemError) -> ReceivedMessage {
        var answer: ReceivedMessage?
        var failure: SystemError?
        sequence.withLock { number in
            number &+= 1
            do throws(SystemError) { answer = try exchange(kind, argument, number) } catch { failure = error }
        }
        if let answer = answer.take() { return answer }
        throw failure ?? SystemError("asking the monitor", code: EPROTO)
    }

    private func exchange(
        _ kind: JailMessageKind, _ argument: UInt32, _ number: UInt32
    ) throws(SystemError) -> ReceivedMessage {
        var message = aerie_jail_message(kind: kind.rawValue, sequence: number, argument: argument, result: 0)
        guard aerie_jail_send(socket, &message, nil, 0) == 0 else { throw .last("asking the monitor") }
        while aerie_jail_await_readable(socket, Self.patience) == 1 {
            guard let answer = ReceivedMessage.next(from: socket) else { break }
            // The answer to a request that nobody waits for any more.
            if answer.sequence != number { continue }
            if answer.result != 0 { throw SystemError("asking the monitor", code: Int32(bitPattern: answer.result)) }
            return answer
        }
        throw SystemError("asking the monitor", code: ETIMEDOUT)
    }
}

/// Has the monitor start passt.
private struct BrokeredPasst: PasstStarter {
    let client: BrokerClient
    let card: Int

    func start() throws(SystemError) -> PasstConnection {
        var answer = try client.request(.startPasst, UInt32(card))
        guard let socket = answer.takeFirst(), let messages = answer.takeSecond() else {
            throw SystemError("asking the monitor for passt", code: EBADMSG)
        }
        return PasstConnection(socket: socket, program: RemotePasst(PasstMessages(owning: messages)))
    }
}

/// A passt that the monitor has started. It ends when the socket to it is closed.
private final class RemotePasst: RunningPasst {
    private let messages: PasstMessages

    init(_ messages: consuming PasstMessages) { self.messages = messages }

    func lastMessage() -> String? { messages.last() }
    func end() {}
}
