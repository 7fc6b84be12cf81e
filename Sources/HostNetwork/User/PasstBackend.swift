internal import Glibc
package import HostSystem
internal import Synchronization

/// A network without privileges: passt translates the guest's packets to sockets of the host.
///
/// passt is started when the driver is ready, and again whenever it ends; the guest's link is down in between. Two guests differ:
/// - One that is expected to ask for its address while it boots finds passt ready: it is started soon after the machine.
/// - One that goes on from a saved one has its address already: where nothing comes from outside, its passt is started by its first frame that
///   asks for an answer.
package final class PasstBackend: NetworkBackend, @unchecked Sendable {
    // @unchecked: `isUp` is atomic; the rest is used on the loop's thread, or before and after the loop's handlers.

    /// Nanoseconds before a second start, doubled for each further one that fails.
    private static let shortestPause: UInt64 = 200_000_000
    private static let longestPause: UInt64 = 30_000_000_000
    /// Nanoseconds after which a start counts as a success.
    private static let probation: UInt64 = 1_000_000_000
    /// Nanoseconds from a machine's start to that of its early passt. Until then the host has enough to do; passt needs less time than the guest's
    /// kernel.
    private static let head: UInt64 = 150_000_000
    /// Starts in a row to which nobody has answered in time, before the link goes down: the host is busy.
    private static let mostUnanswered = 5

    package let mtu: UInt16 = 65520
    // passt finishes no checksums; its own frames never leave the host's memory, so their checksums need no check.
    package let hasPartialChecksums = false
    package let hasSegmentation = false
    package var isLinkUp: Bool { isUp.load(ordering: .relaxed) }

    private let path: String
    private let starter: any PasstStarter
    private let name: String
    /// Whether passt listens for connections from outside.
    private let listens: Bool
    /// Whether passt starts soon after the machine, before the driver is ready.
    private let startsEarly: Bool
    private let isUp = Atomic(true)

    private var loop: EventLoop?
    private var log = Log.silent
    private var handler: (@Sendable (NetworkEvent) -> Void)?
    private var timer: EventTimer?
    private var process: (any RunningPasst)?
    private var stream: FrameStream?
    private var source: EventSource?
    private var pause = shortestPause
    private var unanswered = 0
    /// The driver of a machine that goes on from a saved one is ready before the machine has an event loop.
    private var wasActivatedEarly = false
    private var startsAtFirstUse = false
    /// A frame has come from the present passt.
    private var hasServed = false

    /// - Parameters:
    ///   - name: the card's name in the log.
    ///   - path: the program passt, for messages.
    ///   - listens: whether it listens for connections from outside.
    ///   - startsEarly: whether it starts soon after a machine that boots, whose driver is not ready yet.
    ///   - starter: starts it.
    package init(name: String, path: String, listens: Bool, startsEarly: Bool = false, starter: any PasstStarter) {
        self.name = name
        self.path = path
        self.listens = listens
        self.startsEarly = startsEarly
        self.starter = starter
    }

    /// A network whose passt is a child of this process, with options other than those for the connection to the card.
    package convenience init(name: String, path: String, arguments: [String]) {
        self.init(name: name, path: path, listens: true, starter: ChildPasstStarter(path: path, arguments: arguments))
    }

    /// The program's path; nil where PATH has none.
    package static func locate() -> String? { PasstProcess.locate() }

    package func start(
        on loop: EventLoop, log: Log, handler: @escaping @Sendable (NetworkEvent) -> Void
    ) throws(SystemError) {
        timer = try EventTimer(on: loop) { [self] in timePassed() }
        self.loop = loop
        self.log = log
        self.handler = handler
        // On the loop's thread, as all that follows.
        startsAtFirstUse = wasActivatedEarly && !listens
        if wasActivatedEarly, listens { timer?.schedule(at: HostClock.monotonic()) }
        if !wasActivatedEarly, startsEarly { timer?.schedule(at: HostClock.monotonic() + Self.head) }
    }

    package func activate(_ offloads: ReceiveOffloads) {
        guard loop != nil else { return wasActivatedEarly = true }
        if process == nil, isLinkUp, !startsAtFirstUse { launch() }
    }

    package func stop() {
        timer?.cancel()
        timer = nil
        disconnect()
        handler = nil
        loop = nil
    }

    // MARK: Frames

    package func send(_ frame: OutgoingFrame) -> Bool {
        if startsAtFirstUse, !Announcement.isIn(frame.bytes) { launch() }
        guard let stream, (Ethernet.headerSize...Ethernet.longestFrame).contains(frame.bytes.count) else { return true }
        let isTaken = stream.send(frame.bytes)
        noticeFailure()
        return isTaken
    }

    package func receive() -> IncomingFrame? {
        guard let bytes = stream?.receive() else {
            noticeFailure()
            return nil
        }
        if !hasServed {
            hasServed = true
            // It works, so that what it said at its start is no reason for its end.
            _ = process?.lastMessage()
        }
        var header = OffloadHeader()
        header.flags = OffloadHeader.dataValid
        return IncomingFrame(header: header, bytes: bytes)
    }

    package func consume() { stream?.consume() }

    // MARK: passt

    private func launch() {
        startsAtFirstUse = false
        guard let loop else { return }
        do throws(SystemError) {
            let connection = try starter.start()
            let process = connection.program
            let stream = FrameStream(owning: connection.socket)
            source = try loop.watch(stream.descriptor.rawValue, for: [.readable, .writable], onlyChanges: true) {
                [self] events in ready(events)
            }
            self.process = process
            self.stream = stream
            hasServed = false
            unanswered = 0
            timer?.schedule(at: HostClock.monotonic() + Self.probation)
        } catch {
            unanswered = error.code == ETIMEDOUT ? unanswered + 1 : 0
            guard isLinkUp, (1..<Self.mostUnanswered).contains(unanswered) else { return goDown("\(error)") }
            timer?.schedule(at: HostClock.monotonic() + Self.shortestPause)
        }
    }

    private func ready(_ events: EventLoop.Events) {
        stream?.drain()
        if events.contains(.writable), stream?.flush() == true { handler?(.writable()) }
        handler?(.readable())
        // Without buffers nobody reads, and the end of the stream would go unnoticed.
        if events.contains(.failed), stream?.receive() == nil { noticeFailure() }
    }

    private func noticeFailure() {
        guard let failure = stream?.failure else { return }
        let reason =
            switch failure {
            case .closed: process?.lastMessage() ?? "it ended"
            case .badLength(let count): "it sent a frame of \(count) bytes"
            case .system(let error): "\(error)"
            }
        goDown(reason)
    }

    private func goDown(_ reason: String) {
        disconnect()
        if isUp.exchange(false, ordering: .relaxed) {
            log.note(
                .warning, name, cause: "passt ended",
                "\(path) failed: \(reason); the guest's network link is down until passt runs again")
            handler?(.link)
        }
        timer?.schedule(at: HostClock.monotonic() + pause)
        pause = min(pause * 2, Self.longestPause)
    }

    private func timePassed() {
        if process == nil { return launch() }
        // It has lived long enough. What it said at its start is no reason for a later end.
        pause = Self.shortestPause
        _ = process?.lastMessage()
        guard !isUp.exchange(true, ordering: .relaxed) else { return }
        log.note(.warning, name, cause: "passt runs again", "passt runs again, and the guest's network link is up")
        handler?(.link)
    }

    private func disconnect() {
        source?.cancel()
        source = nil
        stream = nil
        process?.end()
        process = nil
    }
}
