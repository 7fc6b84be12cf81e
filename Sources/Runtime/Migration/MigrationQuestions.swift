internal import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// The sender's questions what has become of its machine, over new connections, when the first one has ended at the handover.
package struct MigrationQuestions {
    /// How the receiver is reached.
    package struct Peer {
        /// Makes a new connection, with what closes it.
        let connect: () throws -> (input: Int32, output: Int32, close: () -> Void)
        /// Ends the first connection: the receiver waits for questions when it has lost that.
        let disconnect: () -> Void

        package init(
            connect: @escaping () throws -> (input: Int32, output: Int32, close: () -> Void),
            disconnect: @escaping () -> Void
        ) {
            self.connect = connect
            self.disconnect = disconnect
        }
    }

    /// What is known of the machine.
    enum Answer {
        /// It runs at the receiver, or has run there.
        case there(name: String)
        /// It has run there, and a part of its memory is lost.
        case lost(name: String)
        /// It has not run there, and never will.
        case notThere
    }

    /// How long the sender asks, in nanoseconds.
    private static let patience: UInt64 = 30_000_000_000
    /// Between two questions, in microseconds.
    private static let pause: UInt32 = 250_000

    let transfer: String
    let directory: String
    let peer: Peer

    /// Asks until there is an answer; nil when there was none in time.
    func ask() -> Answer? {
        peer.disconnect()
        let deadline = HostClock.monotonic() + Self.patience
        while HostClock.monotonic() < deadline {
            if let answer = try? askOnce(until: deadline) { return answer }
            usleep(Self.pause)
        }
        return nil
    }

    /// - Returns: nil when the receiver does not know yet.
    private func askOnce(until deadline: UInt64) throws -> Answer? {
        let connection = try peer.connect()
        defer { connection.close() }
        let stream = TransferStream(input: connection.input, output: connection.output)
        let question = MigrationQuestion(transfer: transfer, directory: directory)
        try stream.send(.question, text: JSONValue(encoding: question).text)
        let rest = Int32(clamping: Int64(deadline / 1_000_000) - Int64(HostClock.monotonic() / 1_000_000))
        guard stream.hasInput(within: max(rest, 0)) else { throw TransferError.ended }
        let outcome = try JSONValue(parsing: try stream.expect(.outcome)).decode(MigrationOutcome.self)
        if outcome.isUndecided == true { return nil }
        try? stream.send(.heard)
        guard let name = outcome.name else { return .notThere }
        return outcome.isLost == true ? .lost(name: name) : .there(name: name)
    }
}
