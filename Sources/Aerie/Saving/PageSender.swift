internal import GuestMemory
internal import HostSystem

/// Sends the pages of a machine that stands still to its receiver, where the guest runs already (post-copy): those for which the guest waits
/// first, and the rest in the order of their addresses.
final class PageSender {
    /// Bytes that are sent at once where nobody waits for them: a page that somebody waits for comes behind them.
    private static let piece: UInt64 = 64 << 10
    /// How long a receiver may be silent when it has everything, in nanoseconds.
    private static let patience: UInt64 = 60_000_000_000
    /// How often the loop looks whether it goes on, in milliseconds.
    private static let look: Int32 = 250

    private let memory: GuestMemory
    private let stream: TransferStream
    private var pending: PageSet
    /// Pages that the guest waits for, in their order; a page that was sent meanwhile is no longer pending.
    private var wanted: [UInt64] = []
    private var asked: PageSet
    /// Where the pages continue that nobody waits for: behind the last page that somebody has waited for.
    private var position: UInt64 = 0
    private var lastHeard = HostClock.monotonic()
    private var report = PagesReport()

    /// - Parameters:
    ///   - pages: what the receiver lacks: whole pages.
    ///   - stream: to and from the receiver.
    init(_ memory: GuestMemory, _ pages: [Range<UInt64>], over stream: TransferStream) {
        self.memory = memory
        self.stream = stream
        pending = PageSet(size: memory.size)
        asked = PageSet(size: memory.size)
        for range in pages {
            pending.insert(range.lowerBound / PageSet.pageSize..<range.upperBound / PageSet.pageSize)
        }
        stream.waits = false
    }

    /// Sends until the receiver needs nothing more, or the connection ends.
    ///
    /// - Parameter goesOn: asked several times a second.
    func run(while goesOn: () -> Bool) -> PagesReport {
        do throws(TransferError) {
            while try step(goesOn) {}
        } catch { report.failure = error.description }
        report.sentCount = stream.sentCount
        return report
    }

    /// - Returns: false at the end.
    private func step(_ goesOn: () -> Bool) throws(TransferError) -> Bool {
        guard goesOn() else { throw .damaged("the machine has ended") }
        while stream.hasInput(within: 0) { if try !take() { return false } }
        if let page = nextWanted() {
            position = page
            try send(most: 1)
            return true
        }
        let now = HostClock.monotonic()
        if !pending.isEmpty, stream.due <= now {
            try send(most: Self.piece / PageSet.pageSize)
            return true
        }
        if pending.isEmpty, now &- lastHeard > Self.patience { throw .damaged("the other side says nothing any more") }
        let rest = pending.isEmpty ? Self.look : Int32(min((stream.due - now) / 1_000_000 + 1, UInt64(Self.look)))
        _ = stream.hasInput(within: rest)
        return true
    }

    private func nextWanted() -> UInt64? {
        while !wanted.isEmpty {
            let page = wanted.removeFirst()
            if pending.contains(page) { return page }
        }
        return nil
    }

    /// Takes a frame.
    ///
    /// - Returns: false when the receiver needs nothing more.
    private func take() throws(TransferError) -> Bool {
        let (frame, data) = try stream.receive()
        lastHeard = HostClock.monotonic()
        switch frame.kind {
        case .wanted:
            guard frame.file == TransferredFile.memory, frame.offset < memory.size else {
                throw .damaged("a page was asked for that is not the machine's")
            }
            let page = frame.offset / PageSet.pageSize
            // Each page once, so that their number has a bound.
            guard pending.contains(page), !asked.contains(page) else { return true }
            asked.insert(page)
            wanted.append(page)
        case .outcome:
            report.outcome = Array(data)
            report.heardAt = lastHeard
        case .arrived:
            report.isComplete = true
            try? stream.send(.heard)
            return false
        default: throw .damaged("another frame came than the one that was due")
        }
        return true
    }

    /// Sends the next pages from `position` on.
    private func send(most: UInt64) throws(TransferError) {
        guard let run = pending.run(from: position, most: most) ?? pending.run(from: 0, most: most) else { return }
        let offset = run.lowerBound * PageSet.pageSize
        let count = Int(min(UInt64(run.count) * PageSet.pageSize, memory.size - offset))
        let bytes = UnsafeRawBufferPointer(start: memory.hostBase + Int(offset), count: count)
        try stream.send(bytes.isZero ? nil : bytes, count: count, of: TransferredFile.memory, at: offset)
        pending.remove(run)
        position = run.upperBound
    }
}

/// What became of the pages of a machine, and of the machine at its receiver.
package struct PagesReport: Sendable {
    /// The receiver's word that the guest runs there, or why it does not, as JSON; nil when none has come.
    package var outcome: [UInt8]?
    /// When the word came, by the monotonic clock.
    package var heardAt: UInt64?
    /// Whether the receiver needs nothing more.
    package var isComplete = false
    /// Why the connection has ended before that.
    package var failure: String?
    /// Bytes that were sent.
    package var sentCount: UInt64 = 0
}
