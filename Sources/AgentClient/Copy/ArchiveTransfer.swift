package import AgentProtocol
internal import Glibc
package import HostSystem

/// A tar stream on its way to or from a guest, on the calling thread.
package struct ArchiveTransfer: ~Copyable {
    /// What the agent counted.
    package struct Result: Equatable, Sendable {
        package let files: UInt64
        package let bytes: UInt64
    }

    private var connection: AgentConnection
    private let stop: Stop
    private let onProgress: (UInt64) -> Void
    private var moved: UInt64 = 0

    /// Ends a transfer early, which then throws `AgentError.interrupted`.
    private enum Stop {
        /// Signals of the process: for a program that does one transfer.
        case signals(Signals)
        /// A descriptor of the caller's that becomes readable.
        case descriptor(Int32)

        final class Signals {
            let inbox: SignalInbox

            init(_ inbox: consuming SignalInbox) { self.inbox = inbox }
        }

        var descriptor: Int32 {
            switch self {
            case .signals(let signals): signals.inbox.descriptor
            case .descriptor(let descriptor): descriptor
            }
        }

        /// The signal that has come, 0 for the descriptor, nil for neither.
        func next() -> Int32? {
            switch self {
            case .signals(let signals): signals.inbox.next()
            case .descriptor: 0
            }
        }
    }

    /// Connects to the agent.
    ///
    /// - Parameters:
    ///   - stop: a descriptor that becomes readable when the transfer has to end; nil for signals of the process, which one transfer at a
    ///     time can watch. It stays the caller's.
    ///   - onProgress: called with the bytes of the stream that have passed.
    package init(
        _ connector: any AgentConnector, wait: AgentWait, stop: Int32? = nil,
        onProgress: @escaping (UInt64) -> Void = { _ in }
    ) throws(AgentError) {
        let connection = try wait.connect(connector)
        if let stop {
            self.stop = .descriptor(stop)
        } else {
            SignalWatch.discard(SIGPIPE)
            do throws(SystemError) {
                self.stop = .signals(Stop.Signals(try SignalInbox([SIGINT, SIGTERM, SIGHUP])))
            } catch { throw .system(error) }
        }
        self.connection = connection
        self.onProgress = onProgress
    }

    // MARK: To the guest

    /// Sends a tar stream, which the agent unpacks.
    ///
    /// - Parameters:
    ///   - descriptor: is readable when `read` has bytes; nil if it always has.
    ///   - read: the next bytes of the stream.
    package mutating func put(
        _ request: PutRequest, descriptor: Int32? = nil,
        _ read: (UnsafeMutableRawBufferPointer) -> NonblockingInput.Outcome
    ) throws(AgentError) -> Result {
        try connection.request(.put(request), .put)
        var hasEnded = false
        var hasSentEnd = false
        while true {
            while let event = try connection.next() {
                switch event {
                case .done(let files, let bytes): return Result(files: files, bytes: bytes)
                case .refused(let failure): throw .refused(failure)
                default: break
                }
            }
            // What waits goes first. If it all goes, there is room for more, and nothing else would say so.
            try connection.flush()
            var isEmpty = false
            while connection.takesInput, !hasEnded, !isEmpty {
                var outcome = NonblockingInput.Outcome.empty
                connection.sendInput { room in
                    outcome = read(room)
                    if case .bytes(let count) = outcome { return count }
                    return 0
                }
                switch outcome {
                case .bytes(let count): note(count)
                case .empty: isEmpty = true
                case .ended: hasEnded = true
                }
                try connection.flush()
            }
            if hasEnded, !hasSentEnd, connection.isInputSent {
                connection.send(.end)
                hasSentEnd = true
                try connection.flush()
            }
            if try wait(reads: true, input: isEmpty ? descriptor : nil, output: nil) {
                throw .lost(connection.session.progress)
            }
        }
    }

    // MARK: From the guest

    /// Receives a tar stream.
    ///
    /// - Parameters:
    ///   - descriptor: is writable when `write` takes bytes again.
    ///   - write: takes bytes of the stream and returns how many; 0 when it takes none now.
    package mutating func get(
        _ request: GetRequest, descriptor: Int32? = nil,
        _ write: (UnsafeRawBufferPointer) throws(AgentError) -> Int
    ) throws(AgentError) -> Result {
        try connection.request(.get(request), .get)
        var hasEnded = false
        while true {
            var isBlocked = false
            while !isBlocked, let event = try connection.next() {
                switch event {
                case .data(_, let count):
                    let taken = try self.deliver(count, write)
                    if taken == 0 { isBlocked = true }
                case .done(let files, let bytes): return Result(files: files, bytes: bytes)
                case .refused(let failure): throw .refused(failure)
                default: break
                }
            }
            if hasEnded, !isBlocked { throw .lost(connection.session.progress) }
            try connection.flush()
            if try wait(reads: !isBlocked && !hasEnded, input: nil, output: isBlocked ? descriptor : nil) {
                hasEnded = true
            }
        }
    }

    private mutating func deliver(
        _ count: Int, _ write: (UnsafeRawBufferPointer) throws(AgentError) -> Int
    ) throws(AgentError) -> Int {
        var failure: AgentError?
        let taken = connection.peekData(count) { bytes -> Int in
            do throws(AgentError) {
                return try write(bytes)
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        connection.takeData(taken)
        note(taken)
        return taken
    }

    private mutating func note(_ count: Int) {
        moved += UInt64(count)
        onProgress(moved)
    }

    /// Waits for one of the sides, and receives what has come.
    ///
    /// - Returns: whether the agent sends no more.
    private mutating func wait(reads: Bool, input: Int32?, output: Int32?) throws(AgentError) -> Bool {
        let sends = connection.hasOutgoing
        let events = Int16(reads ? POLLIN : 0) | Int16(sends ? POLLOUT : 0)
        var entries = [
            pollfd(fd: reads || sends ? connection.descriptor.rawValue : -1, events: events, revents: 0),
            pollfd(fd: stop.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: input ?? -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: output ?? -1, events: Int16(POLLOUT), revents: 0),
        ]
        guard poll(&entries, UInt(entries.count), -1) > 0 else { return false }
        if entries[1].revents != 0, let signal = stop.next() { throw .interrupted(signal) }
        guard reads, entries[0].revents & ~Int16(POLLOUT) != 0 else { return false }
        return try connection.receive() == .end
    }
}
