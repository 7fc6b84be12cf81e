internal import Synchronization

/// Counts a device's transfers since its start. No part of its saved state: a restored machine counts anew. Any thread.
package final class TransferCounters: Sendable {
    /// The counts at one moment. `in` is the direction to the guest.
    package struct Figures: Equatable, Sendable {
        package var inBytes: UInt64 = 0
        /// Requests or frames.
        package var inOperations: UInt64 = 0
        package var outBytes: UInt64 = 0
        /// Requests or frames.
        package var outOperations: UInt64 = 0
    }

    private let inBytes = Atomic<UInt64>(0)
    private let inOperations = Atomic<UInt64>(0)
    private let outBytes = Atomic<UInt64>(0)
    private let outOperations = Atomic<UInt64>(0)

    init() {}

    func countIn(bytes: Int) {
        inBytes.wrappingAdd(UInt64(bytes), ordering: .relaxed)
        inOperations.wrappingAdd(1, ordering: .relaxed)
    }

    func countOut(bytes: Int) {
        outBytes.wrappingAdd(UInt64(bytes), ordering: .relaxed)
        outOperations.wrappingAdd(1, ordering: .relaxed)
    }

    package var figures: Figures {
        Figures(
            inBytes: inBytes.load(ordering: .relaxed), inOperations: inOperations.load(ordering: .relaxed),
            outBytes: outBytes.load(ordering: .relaxed), outOperations: outOperations.load(ordering: .relaxed))
    }
}
