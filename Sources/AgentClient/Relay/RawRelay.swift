internal import Glibc
internal import HostSystem

/// Connects two descriptors of this process with a connection that is raw, until its other end sends no more.
package struct RawRelay: ~Copyable {
    private static let chunk = 1 << 16

    private var connection: AgentConnection
    private let input: Int32
    private let source: NonblockingInput
    private let output: RelayOutput
    private var outgoing: [UInt8] = []
    private var sent = 0
    private var inputHasEnded = false
    private var peerHasEnded = false

    /// - Parameters:
    ///   - connection: of `AgentClient.forward`.
    ///   - input: a descriptor to read, the caller's.
    ///   - output: a descriptor to write, the caller's.
    package init(_ connection: consuming AgentConnection, input: Int32, output: Int32) {
        self.connection = connection
        self.input = input
        source = NonblockingInput(input)
        self.output = RelayOutput(output)
    }

    /// Runs until the other end sends no more, or the reader of the output is gone.
    package mutating func run() throws(AgentError) {
        SignalWatch.discard(SIGPIPE)
        while true {
            var isBlocked = false
            while connection.rawCount > 0, !isBlocked {
                switch connection.withRawBytes({ output.write($0) }) {
                case .written(let count): connection.consumeRaw(count)
                case .full: isBlocked = true
                case .closed: return
                case .failed(let error): throw .output(error)
                }
            }
            if peerHasEnded, !isBlocked { return }
            try send()
            var entries = self.entries(isBlocked)
            guard poll(&entries, UInt(entries.count), -1) > 0 else { continue }
            if entries[1].revents != 0 { read() }
            if !isBlocked, entries[0].revents & ~Int16(POLLOUT) != 0, try connection.receive() == .end {
                peerHasEnded = true
            }
        }
    }

    private func entries(_ isBlocked: Bool) -> [pollfd] {
        let sends = sent < outgoing.count
        let reads = !isBlocked && !peerHasEnded
        let events = Int16(reads ? POLLIN : 0) | Int16(sends ? POLLOUT : 0)
        return [
            pollfd(fd: reads || sends ? connection.descriptor.rawValue : -1, events: events, revents: 0),
            pollfd(fd: sends || inputHasEnded ? -1 : input, events: Int16(POLLIN), revents: 0),
            pollfd(fd: isBlocked ? output.descriptor : -1, events: Int16(POLLOUT), revents: 0),
        ]
    }

    private mutating func read() {
        outgoing = [UInt8](repeating: 0, count: Self.chunk)
        sent = 0
        switch outgoing.withUnsafeMutableBytes({ source.read(into: $0) }) {
        case .bytes(let count): outgoing.removeLast(Self.chunk - count)
        case .empty: outgoing = []
        case .ended:
            outgoing = []
            inputHasEnded = true
            connection.endSending()
        }
    }

    private mutating func send() throws(AgentError) {
        while sent < outgoing.count, let count = try connection.transmit(outgoing, sent..<outgoing.count) {
            sent += count
        }
        // The other end takes no more.
        if connection.isBroken { (outgoing, sent, inputHasEnded) = ([], 0, true) }
    }
}
