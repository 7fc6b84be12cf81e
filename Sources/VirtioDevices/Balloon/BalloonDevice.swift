internal import GuestMemory
package import SavedState
internal import Synchronization
package import Virtio

/// A memory balloon (VIRTIO 1.2, section 5.5): the guest gives pages back to the host, on the host's request or because they are free.
///
///     offset  size  configuration
///          0     4  the number of 4 KiB pages that the host asks for
///          4     4  the number of pages in the balloon, which the driver writes
///          8     4  command of free page hints (not offered)
///         12     4  the value with which the driver fills free pages, which it writes
///
/// Pages that the guest gives back read as zero; the host allocates them again at the next access. The pages' addresses come from the
/// guest: an address outside of its memory is ignored, and so is a page that was given back before.
package final class BalloonDevice: VirtioDevice, @unchecked Sendable {
    // @unchecked: `shared` is a lock. The rest is used on the loop's thread, or while the device is paused.

    private static let pageShift: UInt64 = 12
    private static let inflateQueue = 0
    private static let deflateQueue = 1
    private static let statisticsQueue = 2
    /// Pages of a list before other handlers of the loop have their turn.
    private static let pagesAtOnce = 256
    /// Bytes of reported ranges before other handlers of the loop have their turn.
    private static let bytesAtOnce = 64 << 20

    /// A view of the balloon from outside.
    package struct Status: Equatable, Sendable {
        /// The bytes that the host asks for in all, and the bytes that the driver says are in the balloon.
        package var requested: UInt64 = 0
        /// The bytes among `requested` that the guest lends.
        package var lent: UInt64 = 0
        package var actual: UInt64 = 0
        /// The bytes that the guest has given back in all since the start of the device.
        package var returned: UInt64 = 0
        /// Nil until the driver has reported some.
        package var statistics: BalloonStatistics?
        /// The number of reports of statistics since the device was made.
        package var reports: UInt64 = 0
    }

    private struct Shared {
        /// Pages that the owner of the machine asks for.
        var target: UInt32 = 0
        /// Pages that the guest lends on top of them.
        var lent: UInt32 = 0
        var reports: UInt64 = 0
        var actual: UInt32 = 0
        var poison: UInt32 = 0
        var generation: UInt32 = 0
        var returned: UInt64 = 0
        var statistics: BalloonStatistics?
        /// The driver was not told yet that the configuration has changed.
        var isUnsignalled = false
        /// The host wants newer statistics than those that the driver has reported.
        var wantsStatistics = false
        var service: QueueService?

        /// Pages that the driver shall have in the balloon.
        var requested: UInt32 {
            let (sum, overflows) = target.addingReportingOverflow(lent)
            return overflows ? .max : sum
        }

        mutating func noteChange() {
            generation &+= 1
            isUnsignalled = true
        }
    }

    package let type = VirtioDeviceType.balloon
    package let features = BalloonFeature.offered
    // A driver of free page reporting wants room for 32 ranges in a request.
    package let queueSizes: [UInt16] = [128, 128, 64, 64, 64]

    private let shared = Mutex(Shared())
    // The part of each queue's first request that is done, in pages or bytes.
    private var progress: [Int]

    package init() {
        progress = Array(repeating: 0, count: queueSizes.count)
    }

    // MARK: The host's side: any thread

    /// Asks the driver to have so many bytes in the balloon: whole pages of 4 KiB, less than 2^44.
    package func request(_ bytes: UInt64) {
        let service = shared.withLock { shared in
            shared.target = UInt32(clamping: bytes >> Self.pageShift)
            shared.noteChange()
            return shared.service
        }
        service?.wake()
    }

    /// Asks the driver to have so many bytes in the balloon in addition to those of `request`: memory that the guest lends to the host. Saved
    /// state does not have them: another host decides for itself.
    package func lend(_ bytes: UInt64) {
        let service = shared.withLock { shared in
            shared.lent = UInt32(clamping: bytes >> Self.pageShift)
            shared.noteChange()
            return shared.service
        }
        service?.wake()
    }

    package var status: Status {
        shared.withLock { shared in
            Status(
                requested: UInt64(shared.requested) << Self.pageShift, lent: UInt64(shared.lent) << Self.pageShift,
                actual: UInt64(shared.actual) << Self.pageShift, returned: shared.returned,
                statistics: shared.statistics, reports: shared.reports)
        }
    }

    /// Asks the driver for new statistics, which `status` has when they are there.
    package func refreshStatistics() {
        let service = shared.withLock { shared in
            shared.wantsStatistics = true
            return shared.service
        }
        service?.wake()
    }

    // MARK: Configuration

    package var configuration: [UInt8] {
        let words = shared.withLock { [$0.requested, $0.actual, 0, $0.poison] }
        return words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * UInt32($0))) } }
    }

    package var configurationGeneration: UInt32 { shared.withLock(\.generation) }

    package func writeConfiguration(_ bytes: [UInt8], at offset: Int) {
        shared.withLock { shared in
            for (index, byte) in bytes.enumerated() {
                switch offset.addingReportingOverflow(index) {
                case (let place, false) where 4..<8 ~= place: shared.actual.replaceByte(place - 4, with: byte)
                case (let place, false) where 12..<16 ~= place: shared.poison.replaceByte(place - 12, with: byte)
                default: break
                }
            }
        }
    }

    // MARK: Requests

    package func serve(_ request: TakenRequest, _ session: VirtioSession) throws(VirtQueueError) -> RequestProgress {
        switch request.queue {
        case Self.inflateQueue: return inflate(request, session)
        case Self.deflateQueue: return .done(written: 0)
        case Self.statisticsQueue where session.has(BalloonFeature.statistics): return takeStatistics(request, session)
        default:
            // The standard gives the queue number 4; drivers count the queues that they use, so that it can be 3 or 2.
            return session.has(BalloonFeature.pageReporting) ? report(request, session) : .done(written: 0)
        }
    }

    /// A list of page numbers of 32 bits. Neighbouring pages are given back together.
    private func inflate(_ request: TakenRequest, _ session: VirtioSession) -> RequestProgress {
        let buffers = request.chain.readable
        let first = progress[request.queue]
        let bytes = buffers.bytes(from: 4 * first, count: 4 * Self.pagesAtOnce, in: session.memory)
        let count = bytes.count / 4
        var run: Range<UInt64> = 0..<0
        bytes.withUnsafeBytes { bytes in
            for index in 0..<count {
                let page = UInt64(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)))
                if page == run.upperBound, !run.isEmpty {
                    run = run.lowerBound..<page + 1
                } else if page + 1 == run.lowerBound {
                    run = page..<run.upperBound
                } else {
                    release(run, session.memory)
                    run = page..<page + 1
                }
            }
        }
        release(run, session.memory)
        return advance(request, by: count, of: buffers.count / 4)
    }

    /// Gives back a run of pages; page by page where the run is not wholly in memory.
    private func release(_ pages: Range<UInt64>, _ memory: GuestMemory) {
        guard !pages.isEmpty else { return }
        let size = UInt64(pages.count) << Self.pageShift
        if memory.hostAddress(of: pages.lowerBound << Self.pageShift, count: size) != nil {
            discard(at: pages.lowerBound << Self.pageShift, count: size, memory)
        } else if pages.count > 1 {
            for page in pages { release(page..<page + 1, memory) }
        }
    }

    /// Free ranges, each a writable buffer, whose contents the driver gives up (section 5.5.6.7).
    private func report(_ request: TakenRequest, _ session: VirtioSession) -> RequestProgress {
        let buffers = request.chain.writable
        // The driver expects to find its filling, and a page that was given back has zeroes.
        guard !session.has(BalloonFeature.pagePoison) || shared.withLock(\.poison) == 0 else {
            return .done(written: 0)
        }
        var skip = progress[request.queue]
        var left = Self.bytesAtOnce
        var done = 0
        for segment in buffers.segments where left > 0 {
            guard skip < segment.count else {
                skip -= segment.count
                continue
            }
            let count = min(left, segment.count - skip)
            discard(at: segment.address + UInt64(skip), count: UInt64(count), session.memory)
            skip = 0
            left -= count
            done += count
        }
        return advance(request, by: done, of: buffers.count)
    }

    private func discard(at address: UInt64, count: UInt64, _ memory: GuestMemory) {
        // The range was found in memory.
        let returned = (try? memory.discard(at: address, count: count)) ?? 0
        shared.withLock { $0.returned &+= returned }
    }

    /// Ends a step of a request: the request is done, or the rest follows after other handlers of the loop.
    private func advance(_ request: TakenRequest, by count: Int, of total: Int) -> RequestProgress {
        progress[request.queue] += count
        guard count > 0, progress[request.queue] < total else {
            progress[request.queue] = 0
            return .done(written: 0)
        }
        shared.withLock(\.service)?.lookLater(at: request.queue)
        return .waits
    }

    /// The driver's buffer stays with the device until newer statistics are wanted: its return asks for them (section 5.5.6.3).
    private func takeStatistics(_ request: TakenRequest, _ session: VirtioSession) -> RequestProgress {
        let bytes = request.chain.readable.bytes(count: BalloonStatistics.longest, in: session.memory)
        return shared.withLock { shared in
            shared.statistics = BalloonStatistics(bytes)
            shared.reports += 1
            defer { shared.wantsStatistics = false }
            return shared.wantsStatistics ? .done(written: 0) : .waits
        }
    }

    // MARK: Lifecycle

    package func start(_ service: QueueService) { shared.withLock { $0.service = service } }

    package func awaken(_ session: VirtioSession) {
        let isChanged = shared.withLock { shared in
            defer { shared.isUnsignalled = false }
            return shared.isUnsignalled
        }
        if isChanged { session.signals.signalConfigurationChange() }
    }

    package func abandon(queue index: Int) { progress[index] = 0 }

    /// A guest that starts again has an empty balloon; what the host asks for stays.
    package func reset() {
        progress = Array(repeating: 0, count: queueSizes.count)
        shared.withLock { shared in
            shared.actual = 0
            shared.poison = 0
            shared.statistics = nil
        }
    }

    package func stop() { shared.withLock { $0.service = nil } }

    // MARK: State

    package func save() throws(SavedStateError) -> SavedRecord {
        let shared = self.shared.withLock { $0 }
        var record = SavedRecord(kind: "virtio-balloon", version: 1)
        record.set("target", shared.target)
        record.set("actual", shared.actual)
        record.set("poison", shared.poison)
        // The guest gets back what it lends: for its driver, the restored configuration is a new one.
        record.set("generation", shared.lent > 0 ? shared.generation &+ 1 : shared.generation)
        record.set("isUnsignalled", shared.isUnsignalled || shared.lent > 0)
        return record
    }

    package func restore(_ state: SavedRecord) throws(SavedStateError) {
        try state.expect(kind: "virtio-balloon", versions: 1...1)
        let (target, actual): (UInt32, UInt32) = (try state.integer("target"), try state.integer("actual"))
        let (poison, generation): (UInt32, UInt32) = (try state.integer("poison"), try state.integer("generation"))
        let isUnsignalled = try state.boolean("isUnsignalled")
        shared.withLock { shared in
            (shared.target, shared.actual) = (target, actual)
            (shared.poison, shared.generation) = (poison, generation)
            shared.isUnsignalled = isUnsignalled
            shared.lent = 0
        }
    }
}

extension UInt32 {
    /// Replaces byte 0 (the lowest) to 3.
    fileprivate mutating func replaceByte(_ index: Int, with byte: UInt8) {
        let shift = UInt32(8 * index)
        self = self & ~(0xFF << shift) | UInt32(byte) << shift
    }
}
