internal import Glibc
internal import HostSystem

/// How a sender uses the connection of a transfer.
package struct TransferOptions: Equatable, Sendable {
    /// The valid limits, in bytes a second.
    package static let bandwidths: ClosedRange<UInt64> = 65536...(1 << 40)
    /// Bytes that remain when a guest may stand still for them, without a limit.
    private static let enough: UInt64 = 2 << 20

    /// The most bytes a second; nil for as many as the connection takes.
    package var bandwidth: UInt64?
    /// Whether data is sent compressed.
    package var isCompressed: Bool
    package var postCopy: PostCopy

    /// When the guest goes on at the receiver before all of its memory is there.
    package enum PostCopy: String, CaseIterable, Sendable {
        /// A guest that writes faster than its memory is sent is slowed down instead.
        case never
        /// When it writes faster than its memory is sent.
        case auto
        /// After the memory was sent once.
        case always
    }

    package init(bandwidth: UInt64? = nil, isCompressed: Bool = false, postCopy: PostCopy = .never) {
        self.bandwidth = bandwidth
        self.isCompressed = isCompressed
        self.postCopy = postCopy
    }

    /// Bytes in whose sending a guest may stand still: what a limited connection takes in 20 ms, but at least a block.
    var bytesOfAPause: Int {
        Int(max(UInt64(MemoryImage.blockSize), min(Self.enough, bandwidth.map { $0 / 50 } ?? Self.enough)))
    }
}

/// Keeps a rate: whoever has sent bytes waits until they are due.
struct TransferPace {
    /// What was not sent in time is not made up for beyond this, in nanoseconds.
    private static let slack: UInt64 = 100_000_000

    private let bandwidth: UInt64
    /// When everything that was sent is due, by the monotonic clock.
    private(set) var due: UInt64

    init(bandwidth: UInt64) {
        self.bandwidth = bandwidth
        due = HostClock.monotonic()
    }

    /// The time until which to wait, by the monotonic clock.
    ///
    /// - Parameter count: bytes that were sent, at most 2 MiB.
    mutating func note(count: Int, now: UInt64) -> UInt64 {
        due = max(due, now &- min(now, Self.slack)) + UInt64(count) * 1_000_000_000 / bandwidth
        return due
    }

    /// Waits until what was sent is due.
    mutating func wait(afterSending count: Int) {
        let due = note(count: count, now: HostClock.monotonic())
        var time = timespec(tv_sec: Int(due / 1_000_000_000), tv_nsec: Int(due % 1_000_000_000))
        while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
    }
}
