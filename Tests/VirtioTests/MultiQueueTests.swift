import GuestMemory
import HostNetwork
import HostSystem
import SavedState
import TestSupport
import Testing
import Virtio
@testable import VirtioDevices

@Suite struct MultiQueueTests {
    private static let pairs = MultiQueueCard.pairCount

    /// A frame of UDP over IPv4 between port `port` of the guest and a server.
    private func frame(_ port: UInt16, toGuest: Bool, _ payload: UInt8 = 0) -> [UInt8] {
        let (guest, server): ([UInt8], [UInt8]) = ([10, 0, 2, 15], [192, 0, 2, 7])
        let own = [UInt8(port >> 8), UInt8(truncatingIfNeeded: port)]
        let ethernet = (toGuest ? MultiQueueCard.address.bytes : [2, 9, 9, 9, 9, 9]) + [2, 0, 0, 0, 0, 3, 8, 0]
        let header: [UInt8] = [0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17, 0, 0]
        let addresses = toGuest ? server + guest : guest + server
        let ports = toGuest ? [0, 53] + own : own + [0, 53]
        return ethernet + header + addresses + ports + [0, 10, 0, 0, payload, 0]
    }

    private func answer(_ port: UInt16, _ payload: UInt8 = 0) -> [UInt8] { frame(port, toGuest: true, payload) }
    private func query(_ port: UInt16) -> [UInt8] { frame(port, toGuest: false) }

    // MARK: Configuration

    @Test func aCardOffersItsPairsAndACardWithOneDoesNot() {
        let device = NetworkDevice(backend: TestNetwork(), address: MultiQueueCard.address, pairCount: 4)
        #expect(device.queueSizes == [256, 256, 256, 256, 256, 256, 256, 256, 64])
        #expect(device.features & MultiQueueCard.multiQueue != 0)
        #expect(Array(device.configuration[8..<10]) == [4, 0])
        let single = NetworkDevice(backend: TestNetwork(), address: MultiQueueCard.address)
        #expect(single.queueSizes == [256, 256, 64])
        #expect(single.features & MultiQueueCard.multiQueue == 0)
        #expect(Array(single.configuration[8..<10]) == [1, 0])
    }

    @Test func theNumberOfPairsIsOneToThoseOfTheCard() throws {
        let card = try MultiQueueCard(TestNetwork())
        defer { card.board.stop() }
        for (count, code): (UInt16, UInt8) in [(0, 1), (5, 1), (0x0100, 1), (0xFFFF, 1), (4, 0), (1, 0), (3, 0)] {
            #expect(try card.usePairs(count) == code, "\(count)")
        }
        // Cut off, and the commands for hashes and receive-side scaling, which are not offered.
        #expect(try card.command(4, 0, [2]) == 1)
        #expect(try card.command(4, 1, [2, 0]) == 1)
        #expect(try card.command(4, 2, [2, 0]) == 1)
        #expect(!card.board.needsReset)
    }

    @Test func aDriverThatKnowsOnePairFindsTheControlQueueBehindIt() throws {
        let network = TestNetwork()
        let card = try MultiQueueCard(network, readyPairs: 1, negotiates: false)
        defer { card.board.stop() }
        #expect(try card.command(1, 1, [2, 7, 7, 7, 7, 7]) == 0)
        #expect(try card.usePairs(1) == 1)
        try card.offer(0)
        let bytes = [2, 7, 7, 7, 7, 7] + answer(1000)[6...]
        network.deliver(bytes)
        #expect(try card.received(0) == bytes)
    }

    // MARK: A network with one stream of frames

    @Test func aFlowIsReceivedByThePairThatSentIt() throws {
        let network = TestNetwork()
        let card = try MultiQueueCard(network)
        defer { card.board.stop() }
        #expect(try card.usePairs(4) == 0)
        for pair in 0..<4 { try card.offer(pair, 0..<8) }
        for port in 2000..<2008 as Range<UInt16> { try card.send(query(port), Int(port) % 4) }
        // Flows that share an entry of the table go where the last of them was sent.
        var last: [Int: Int] = [:]
        for port in 2000..<2008 as Range<UInt16> {
            last[query(port).withUnsafeBytes(FlowSteering.hash)] = Int(port) % 4
        }
        for port in 2000..<2008 as Range<UInt16> {
            network.deliver(answer(port))
            let pair = try #require(last[answer(port).withUnsafeBytes(FlowSteering.hash)])
            #expect(try card.received(pair) == answer(port), "port \(port)")
        }
        // The guest's scheduler has moved the program: its next frame leaves by another pair.
        try card.send(query(2000), 3)
        network.deliver(answer(2000, 9))
        #expect(try card.received(3) == answer(2000, 9))
    }

    @Test func bothDirectionsOfAFlowHaveOneNumber() {
        for port in 1...500 as ClosedRange<UInt16> {
            #expect(
                query(port).withUnsafeBytes(FlowSteering.hash) == answer(port).withUnsafeBytes(FlowSteering.hash))
        }
        let numbers = Set((1...500 as ClosedRange<UInt16>).map { query($0).withUnsafeBytes(FlowSteering.hash) })
        #expect(numbers.count > 128)
    }

    @Test func anyFrameHasANumberOfTheTable() {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<5000 {
            var bytes = (0..<Int(random.next() % 80)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let types: [[UInt8]] = [[8, 0], [0x86, 0xDD], [0x81, 0]]
            for place in [12, 16] where bytes.count > place + 1 {
                bytes.replaceSubrange(place...place + 1, with: types[Int(random.next() % 3)])
            }
            #expect((0..<256).contains(bytes.withUnsafeBytes(FlowSteering.hash)))
        }
    }

    @Test func anUnusedPairReceivesNothing() throws {
        let network = TestNetwork()
        let card = try MultiQueueCard(network)
        defer { card.board.stop() }
        #expect(try card.usePairs(4) == 0)
        for pair in 0..<4 { try card.offer(pair, 0..<8) }
        try card.send(query(2000), 3)
        #expect(try card.usePairs(2) == 0)
        for port in 2000..<2008 as Range<UInt16> { network.deliver(answer(port)) }
        try card.board.wait("all frames", until: { network.state.withLock(\.waiting.isEmpty) })
        #expect(!card.hasReceived(2))
        #expect(!card.hasReceived(3))
        #expect(card.hasReceived(0))
        // A reset leaves one pair.
        let queues = try card.board.bringUp(queues: [0, 1], features: TestBoard.allFeatures)
        queues[0].setChain([.in(TestBoard.base + 0x20_0000, 2048)])
        queues[0].publish(0)
        card.board.notify(0)
        try card.board.wait(
            "the frame",
            until: {
                if network.state.withLock(\.waiting.isEmpty) { network.deliver(answer(2003)) }
                return queues[0].deviceUsedIndex == 1
            })
    }

    @Test func framesOfAPairThatIsNotSetUpGoToTheFirst() throws {
        let network = TestNetwork()
        let card = try MultiQueueCard(network, readyPairs: 1)
        defer { card.board.stop() }
        #expect(try card.usePairs(4) == 0)
        try card.offer(0, 0..<12)
        for port in 2000..<2012 as Range<UInt16> {
            network.deliver(answer(port))
            #expect(try card.received(0) == answer(port))
        }
        #expect(!card.board.needsReset)
    }

    @Test func framesWaitInTheirOrderForAPairWithoutBuffers() throws {
        let network = TestNetwork()
        let card = try MultiQueueCard(network)
        defer { card.board.stop() }
        #expect(try card.usePairs(2) == 0)
        try card.offer(0, 0..<8)
        try card.send(query(2000), 1)
        try card.send(query(2001), 0)
        try #require(
            query(2000).withUnsafeBytes(FlowSteering.hash) != query(2001).withUnsafeBytes(FlowSteering.hash))
        network.deliver(answer(2000, 1))
        network.deliver(answer(2001, 2))
        network.deliver(answer(2000, 3))
        network.deliver(answer(2001, 4))
        #expect(!card.hasReceived(0))
        // Each buffer lets one frame of the pair and those behind it pass, without an event of the network.
        try card.offer(1, 0..<1)
        #expect(try card.received(1) == answer(2000, 1))
        #expect(try card.received(0) == answer(2001, 2))
        try card.offer(1, 1..<2)
        #expect(try card.received(1) == answer(2000, 3))
        #expect(try card.received(0) == answer(2001, 4))
    }

    @Test func allPairsSendWhenThereIsRoomAgain() throws {
        let network = TestNetwork()
        let card = try MultiQueueCard(network)
        defer { card.board.stop() }
        #expect(try card.usePairs(4) == 0)
        network.state.update { $0.isFull = true }
        for pair in 0..<4 { try card.send(query(UInt16(pair)), pair, waits: false) }
        network.makeRoom()
        for pair in 0..<4 { _ = try card.board.waitUsed(try #require(card.queues[2 * pair + 1])) }
        #expect(Set(network.sent) == Set((0..<4).map { query($0) }))
    }

    // MARK: A network with queues of its own

    @Test func aNetworkWithQueuesChoosesThePairs() throws {
        let network = QueuedNetwork(queueCount: 4)
        let card = try MultiQueueCard(network)
        defer { card.board.stop() }
        #expect(try card.usePairs(4) == 0)
        for pair in 0..<4 {
            try card.offer(pair, 0..<2)
            network.deliver(answer(7, UInt8(pair)), on: pair)
            #expect(try card.received(pair) == answer(7, UInt8(pair)))
            try card.send(query(UInt16(pair)), pair)
        }
        #expect(network.state.withLock { $0.sent.map(\.queue) } == [0, 1, 2, 3])
        network.state.update { $0.fullQueues = [2] }
        try card.send(query(9), 2, waits: false)
        try card.send(query(8), 1)
        network.makeRoom(on: 2)
        _ = try card.board.waitUsed(try #require(card.queues[5]))
        #expect(network.state.withLock { $0.sent.map(\.bytes).suffix(2) } == [query(8), query(9)])
    }

    @Test func aNetworkWithQueuesHearsHowManyAreUsed() throws {
        let network = QueuedNetwork(queueCount: 2)
        let card = try MultiQueueCard(network)
        defer { card.board.stop() }
        _ = try card.usePairs(4)
        _ = try card.usePairs(0)
        _ = try card.usePairs(1)
        _ = try card.usePairs(2)
        #expect(network.state.withLock(\.usedQueues).suffix(3) == [2, 1, 2])
        card.board.reset()
        #expect(network.state.withLock(\.usedQueues).last == 1)
    }

    // MARK: State

    @Test func aRestoredCardUsesThePairsThatItsDriverHasChosen() throws {
        let card = try MultiQueueCard(TestNetwork())
        #expect(try card.usePairs(3) == 0)
        card.board.pause()
        let (saved, memory) = (try card.board.transport.save(), card.board.memory)
        card.board.stop()
        let network = TestNetwork()
        let device = NetworkDevice(
            backend: network, address: MultiQueueCard.address, pairCount: MultiQueueCard.pairCount)
        let board = try PCIBoard(device, memory: memory)
        try board.transport.restore(saved)
        try board.start()
        defer { board.stop() }
        // The driver goes on: the third pair sends, and receives the answer.
        let data = TestBoard.base + 0x30_0000
        try memory.write([UInt8](repeating: 0, count: 12) + query(2000), at: data)
        for (index, queue) in [(4, try #require(card.queues[4])), (5, try #require(card.queues[5]))] {
            queue.setChain(index == 4 ? [.in(data + 0x1000, 2048)] : [.out(data, 12 + query(2000).count)])
            queue.publish(0)
            board.notify(index)
        }
        _ = try board.waitUsed(try #require(card.queues[5]))
        network.deliver(answer(2000))
        let used = try board.waitUsed(try #require(card.queues[4]))
        #expect(try memory.bytes(at: data + 0x100C, count: Int(used.length) - 12) == answer(2000))
    }

    /// What a card saves that has had no driver; without a number of pairs, as version 1 did.
    private func record(activePairs: UInt32?) -> SavedRecord {
        var record = SavedRecord(kind: "virtio-network", version: activePairs == nil ? 1 : 2)
        record.set("generation", UInt32(3))
        record.set("address", MultiQueueCard.address.value)
        record.set("network", [UInt8]())
        if let activePairs { record.set("activePairs", activePairs) }
        ReceiveFilter(address: MultiQueueCard.address).save(into: &record)
        return record
    }

    @Test(arguments: [0, 3, 17, .max] as [UInt32])
    func aSavedNumberOfPairsThatTheCardLacksIsRefused(_ count: UInt32) throws {
        let device = NetworkDevice(backend: TestNetwork(), address: MultiQueueCard.address, pairCount: 2)
        #expect(throws: SavedStateError.badField(kind: "virtio-network", field: "activePairs")) {
            try device.restore(record(activePairs: count))
        }
    }

    @Test func aStateOfVersion1HasOnePair() throws {
        let device = NetworkDevice(backend: TestNetwork(), address: MultiQueueCard.address, pairCount: 4)
        try device.restore(record(activePairs: 2))
        #expect(device.activePairs == 2)
        try device.restore(record(activePairs: nil))
        #expect(device.activePairs == 1)
        #expect(device.configurationGeneration == 4)
        let saved = try device.save()
        #expect(saved.version == 2)
        #expect(try saved.integer("activePairs", as: UInt32.self) == 1)
    }

    // MARK: Hostile drivers

    @Test(arguments: 0..<UInt64(8), [false, true])
    func randomCommandsAndBuffersDoNoHarm(_ seed: UInt64, hasQueues: Bool) throws {
        let network: any HostileNetwork = hasQueues ? QueuedNetwork(queueCount: 4) : TestNetwork()
        var card = try MultiQueueCard(network)
        defer { card.board.stop() }
        var random = SeededGenerator(seed: seed)
        var resetCount = 0
        for _ in 0..<400 {
            let (pair, index) = (Int(random.next() % 4), Int(random.next() % 8))
            switch random.next() % 32 {
            case 0..<4: try card.usePairsOrBreak(UInt16(random.next() % 6))
            case 4..<8: card.board.resetQueue(index)
            case 8..<11:
                try card.board.wait("the end of the reset", until: { !card.board.isQueueResetting(index) })
                // A queue that is in use goes back to index 0 under the device's hands; one that was reset may get the memory of another.
                let other = random.next() % 4 == 0 ? Int(random.next() % 8) : index
                if random.next() % 4 == 0 { card.queues[other]?.clear() }
                if let queue = card.queues[other] { card.board.setUp(index, queue.layout(), ready: true) }
            case 11..<17: try card.offer(pair, UInt16(random.next() % 8)..<8)
            case 17..<24: try card.send(query(UInt16(random.next() % 16)), pair, waits: false)
            case 24: network.isFull = true
            case 25: network.isFull = false
            default: network.deliver(answer(UInt16(random.next() % 16)), to: pair)
            }
            // With frames on their way, and sometimes because the device asks for it.
            if card.board.needsReset || random.next() % 64 == 0 {
                try card.bringUp()
                resetCount += 1
                #expect(!card.board.needsReset)
            }
        }
        #expect(resetCount > 0)
        // The device works for a driver that starts anew, whatever was broken.
        network.isFull = false
        network.forget()
        try card.bringUp()
        #expect(try card.usePairs(4) == 0)
        for pair in 0..<4 {
            try card.send(query(UInt16(pair)), pair)
            try card.offer(pair, 0..<8)
            network.deliver(answer(UInt16(pair)), to: pair)
        }
        try card.board.wait("all frames", until: { network.isDrained })
        #expect(!card.board.needsReset)
    }
}

/// A network that a test fills, empties and stops.
private protocol HostileNetwork: NetworkBackend {
    var isFull: Bool { get set }
    /// Whether the device has taken all frames.
    var isDrained: Bool { get }
    /// Drops what was not taken.
    func forget()
    func deliver(_ bytes: [UInt8], to queue: Int)
}

extension TestNetwork: HostileNetwork {
    fileprivate var isFull: Bool {
        get { state.withLock(\.isFull) }
        set { if newValue { state.update { $0.isFull = true } } else { makeRoom() } }
    }

    fileprivate var isDrained: Bool { state.withLock(\.waiting.isEmpty) }
    fileprivate func deliver(_ bytes: [UInt8], to queue: Int) { deliver(bytes) }
}

extension QueuedNetwork: HostileNetwork {
    fileprivate var isFull: Bool {
        get { !state.withLock(\.fullQueues.isEmpty) }
        set {
            if newValue { state.update { $0.fullQueues = [0, 1, 2, 3] } } else { (0..<4).forEach(makeRoom) }
        }
    }

    fileprivate var isDrained: Bool { state.withLock { $0.waiting.allSatisfy(\.isEmpty) } }
    fileprivate func deliver(_ bytes: [UInt8], to queue: Int) { deliver(bytes, on: queue) }
}
