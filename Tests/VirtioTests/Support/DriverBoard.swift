import Glibc
import GuestMemory
import HostSystem
import Testing
import Virtio

/// A virtio device on a small machine as its driver sees it, whatever the transport.
protocol DriverBoard: AnyObject, Sendable {
    var memory: GuestMemory { get }
    var status: UInt8 { get set }

    func start() throws
    func pause()
    func resume()
    /// Pauses and stops the device.
    func stop()

    /// Does what a driver does up to FEATURES_OK, with those of `features` that are offered.
    func negotiate(_ features: UInt64)
    /// Tells the device of a queue.
    func setUp(_ index: Int, _ layout: VirtQueueLayout, ready: Bool)
    func notify(_ index: Int)
    /// Asks for the queue's reset (VIRTIO 1.2, section 2.6.1).
    func resetQueue(_ index: Int)
    func isQueueResetting(_ index: Int) -> Bool
}

extension DriverBoard {
    /// Brings the device up with one queue of `size`, at the start of memory.
    func bringUp(
        queue index: Int = 0, size: UInt16 = 16, features: UInt64 = TestBoard.allFeatures
    ) throws -> GuestQueue {
        try bringUp(queues: [index], size: size, features: features)[0]
    }

    /// Brings the device up with several queues, each with 32 KiB from the start of memory on.
    func bringUp(
        queues indices: [Int], size: UInt16 = 16, features: UInt64 = TestBoard.allFeatures
    ) throws -> [GuestQueue] {
        let queues = indices.map { index in
            GuestQueue(memory: memory, base: TestBoard.base + 0x8000 * UInt64(index), size: size)
        }
        negotiate(features)
        for (index, queue) in zip(indices, queues) { setUp(index, queue.layout(), ready: true) }
        status = 0x0F
        try #require(status == 0x0F)
        return queues
    }

    /// Resets the device, and waits until it is done (VIRTIO 1.2, section 2.4.2).
    func reset() {
        status = 0
        let deadline = HostClock.monotonic() + 300_000_000_000
        while status != 0, HostClock.monotonic() < deadline { usleep(50) }
    }

    var needsReset: Bool { status & VirtioStatus.needsReset != 0 }

    /// Waits for what another thread will make true. The limit is for hangs.
    func wait(_ what: String, until condition: () -> Bool, at location: SourceLocation = #_sourceLocation) throws {
        let deadline = HostClock.monotonic() + 300_000_000_000
        while !condition() {
            try #require(HostClock.monotonic() < deadline, "never came true: \(what)", sourceLocation: location)
            usleep(50)
        }
    }

    func waitUsed(_ queue: GuestQueue, at location: SourceLocation = #_sourceLocation) throws -> (
        head: UInt32, length: UInt32
    ) {
        try wait("a used buffer", until: { queue.deviceUsedIndex != queue.usedIndex }, at: location)
        return try #require(queue.popUsed(), sourceLocation: location)
    }
}
