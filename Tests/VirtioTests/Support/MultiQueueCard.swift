import GuestMemory
import HostNetwork
import HostSystem
import Testing
import Virtio
import VirtioDevices

/// A card with four pairs of queues, and its driver.
struct MultiQueueCard {
    static let multiQueue: UInt64 = 1 << 22
    static let address = MACAddress(value: 0x02_00_00_00_00_01)
    static let pairCount = 4
    private static let data = TestBoard.base + 0x20_0000

    let device: NetworkDevice
    let board: PCIBoard
    /// By their index on the device.
    private(set) var queues: [Int: GuestQueue] = [:]
    private let controlIndex: Int
    private let indices: [Int]
    private let features: UInt64

    /// - Parameters:
    ///   - readyPairs: how many pairs the driver sets up.
    ///   - negotiates: whether it accepts VIRTIO_NET_F_MQ.
    init(_ network: any NetworkBackend, readyPairs: Int = pairCount, negotiates: Bool = true) throws {
        device = NetworkDevice(backend: network, address: Self.address, pairCount: Self.pairCount)
        board = try PCIBoard(device)
        try board.start()
        controlIndex = negotiates ? 2 * Self.pairCount : 2
        indices = Array(0..<2 * readyPairs) + [controlIndex]
        features = negotiates ? TestBoard.allFeatures : TestBoard.allFeatures & ~Self.multiQueue
        try bringUp()
    }

    /// Resets the card, and brings it up with queues that are empty.
    mutating func bringUp() throws {
        for (index, queue) in zip(indices, try board.bringUp(queues: indices, features: features)) {
            queues[index] = queue
        }
    }

    /// The answer to a command of the control queue.
    func command(_ kind: UInt8, _ command: UInt8, _ data: [UInt8]) throws -> UInt8 {
        let place = Self.data + 0x9_0000
        try board.memory.write([kind, command] + data, at: place)
        try board.memory.store(UInt8(0xEE), at: place + 0x1000)
        let queue = try #require(queues[controlIndex])
        queue.setChain([.out(place, 2 + data.count), .in(place + 0x1000, 1)])
        queue.publish(0)
        board.notify(controlIndex)
        _ = try board.waitUsed(queue)
        return try board.memory.load(at: place + 0x1000)
    }

    /// The answer to VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET.
    func usePairs(_ count: UInt16) throws -> UInt8 {
        try command(4, 0, [UInt8(truncatingIfNeeded: count), UInt8(count >> 8)])
    }

    /// Sends that command to a device that may break on the way to it, and waits for either.
    func usePairsOrBreak(_ count: UInt16) throws {
        let queue = try #require(queues[controlIndex])
        let place = Self.data + 0x9_0000
        try board.memory.write([4, 0, UInt8(truncatingIfNeeded: count), UInt8(count >> 8)], at: place)
        queue.setChain([.out(place, 4), .in(place + 0x1000, 1)])
        queue.publish(0)
        board.notify(controlIndex)
        try board.wait("an answer", until: { queue.popUsed() != nil || board.needsReset })
    }

    private func place(_ pair: Int, _ head: UInt16) -> UInt64 {
        Self.data + 0x1_0000 * UInt64(pair) + 0x1000 * UInt64(head)
    }

    /// Gives a pair buffers for frames.
    func offer(_ pair: Int, _ heads: Range<UInt16> = 0..<1) throws {
        let queue = try #require(queues[2 * pair])
        for head in heads {
            queue.setChain([.in(place(pair, head), 2048)], head: head)
            queue.publish(head)
        }
        board.notify(2 * pair)
    }

    /// The next frame that a pair received, without its header; waits for it.
    func received(_ pair: Int) throws -> [UInt8] {
        let used = try board.waitUsed(try #require(queues[2 * pair]))
        let bytes = try board.memory.bytes(at: place(pair, UInt16(used.head)), count: Int(used.length))
        return Array(bytes[12...])
    }

    func hasReceived(_ pair: Int) -> Bool {
        // What was queued for the loop before has been served.
        TestLoop.shared.sync {}
        return queues[2 * pair].map { $0.deviceUsedIndex != $0.usedIndex } ?? false
    }

    /// Puts a frame into a pair's transmit queue.
    func send(_ frame: [UInt8], _ pair: Int, waits: Bool = true) throws {
        let place = place(pair, 15)
        try board.memory.write([UInt8](repeating: 0, count: 12) + frame, at: place)
        let queue = try #require(queues[2 * pair + 1])
        queue.setChain([.out(place, 12 + frame.count)])
        queue.publish(0)
        board.notify(2 * pair + 1)
        if waits { _ = try board.waitUsed(queue) }
    }
}
