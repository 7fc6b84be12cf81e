import GuestMemory
import HostNetwork
import HostSystem
import SavedState
import Testing
import Virtio
import VirtioDevices

@Suite struct NetworkDeviceTests {
    enum Transport: CaseIterable { case mmio, pci }

    private static let mergedBuffers: UInt64 = 1 << 15
    private static let guestChecksum: UInt64 = 1 << 1
    static let address = MACAddress(value: 0x02_00_00_00_00_01)

    private func frame(_ count: Int, to: [UInt8] = address.bytes) -> [UInt8] {
        to + (6..<count).map { UInt8(truncatingIfNeeded: $0 &* 13) }
    }

    // MARK: Configuration

    @Test func theConfigurationHasAddressStatusAndMTU() throws {
        let network = TestNetwork()
        let device = NetworkDevice(backend: network, address: Self.address)
        #expect(device.configuration == [2, 0, 0, 0, 0, 1, 1, 0, 1, 0, 0xDC, 0x05])
        network.state.update { $0.isUp = false }
        #expect(NetworkDevice(backend: network, address: Self.address).configuration[6] == 0)
    }

    @Test func segmentationIsOfferedOnlyWhereTheNetworkTakesIt() {
        let segments: UInt64 = 1 << 7 | 1 << 8 | 1 << 11 | 1 << 12
        #expect(NetworkDevice(backend: TestNetwork(), address: Self.address).features & segments == 0)
        #expect(
            NetworkDevice(backend: TestNetwork(hasOffloads: true), address: Self.address).features & segments
                == segments)
    }

    @Test func aChangedLinkIsAnInterruptAndANewGeneration() throws {
        let card = try Card()
        defer { card.board.stop() }
        let board = try #require(card.board as? TestBoard)
        let before = card.device.configurationGeneration
        card.network.setLink(false)
        try board.wait("the interrupt", until: { board.read(0x060) & 2 == 2 })
        #expect(card.device.configuration[6] == 0)
        #expect(card.device.configurationGeneration != before)
    }

    // MARK: Sending

    @Test(arguments: Transport.allCases)
    func aFrameLeavesWithoutItsHeader(transport: Transport) throws {
        let card = try Card(transport)
        defer { card.board.stop() }
        let bytes = frame(60)
        try card.send([UInt8](repeating: 0, count: 12) + bytes)
        #expect(try card.board.waitUsed(card.transmit) == (0, 0))
        #expect(card.network.sent == [bytes])
    }

    @Test func aPartialChecksumIsFinishedForANetworkThatCannot() throws {
        let card = try Card()
        defer { card.board.stop() }
        var bytes = frame(42)
        (bytes[40], bytes[41]) = (0x12, 0x34)
        var header = [UInt8](repeating: 0, count: 12)
        (header[0], header[6], header[8]) = (1, 34, 6)
        try card.send(header + bytes)
        _ = try card.board.waitUsed(card.transmit)
        let sent = try #require(card.network.state.withLock { $0.sent.first })
        #expect(sent.header.flags == 0)
        // What stood in the checksum's place is the pseudo header's sum: with it, the sum over the range is all ones (RFC 1071).
        #expect(sent.bytes[34...].withUnsafeBytes(InternetChecksum.sum) == 0xFFFF - 0x1234)
        #expect(Array(sent.bytes[..<40]) == Array(bytes[..<40]))
    }

    @Test func aPartialChecksumIsLeftToANetworkThatCan() throws {
        let card = try Card(network: TestNetwork(hasOffloads: true))
        defer { card.board.stop() }
        var header = [UInt8](repeating: 0, count: 12)
        (header[0], header[6], header[8]) = (1, 34, 6)
        try card.send(header + frame(60))
        _ = try card.board.waitUsed(card.transmit)
        let sent = try #require(card.network.state.withLock { $0.sent.first })
        #expect((sent.header.flags, sent.header.checksumStart, sent.header.checksumOffset) == (1, 34, 6))
        #expect(sent.bytes == frame(60))
    }

    @Test(arguments: [0, 1, 11, 12, 25])
    func aFrameThatIsTooShortIsDropped(count: Int) throws {
        let card = try Card()
        defer { card.board.stop() }
        try card.send([UInt8](repeating: 0, count: count))
        _ = try card.board.waitUsed(card.transmit)
        #expect(card.network.sent.isEmpty)
        #expect(!card.board.needsReset)
    }

    @Test func aFrameThatIsTooLongOrAsksForTheImpossibleIsDropped() throws {
        let card = try Card()
        defer { card.board.stop() }
        try card.send([UInt8](repeating: 0, count: 12 + Ethernet.longestFrame + 1))
        _ = try card.board.waitUsed(card.transmit)
        var header = [UInt8](repeating: 0, count: 12)
        (header[0], header[6], header[7]) = (1, 0xFF, 0xFF)
        try card.send(header + frame(60))
        _ = try card.board.waitUsed(card.transmit)
        header = [UInt8](repeating: 0, count: 12)
        header[1] = 1
        try card.send(header + frame(60))
        _ = try card.board.waitUsed(card.transmit)
        #expect(card.network.sent.isEmpty)
        #expect(!card.board.needsReset)
    }

    @Test func aFullNetworkHoldsFramesBackInOrder() throws {
        let card = try Card()
        defer { card.board.stop() }
        card.network.state.update { $0.isFull = true }
        try card.send([UInt8](repeating: 0, count: 12) + frame(60))
        TestLoop.shared.sync {}
        #expect(card.transmit.deviceUsedIndex == 0)
        card.network.makeRoom()
        _ = try card.board.waitUsed(card.transmit)
        #expect(card.network.sent == [frame(60)])
    }

    // MARK: Receiving

    @Test(arguments: Transport.allCases)
    func aFrameArrivesBehindItsHeader(transport: Transport) throws {
        let card = try Card(transport)
        defer { card.board.stop() }
        card.offer(0, 2048)
        card.network.deliver(frame(100))
        let used = try card.board.waitUsed(card.receive)
        #expect(used == (0, 112))
        #expect(card.buffer(0, 112) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0] + frame(100))
    }

    @Test func aLongFrameTakesSeveralBuffersAtOnce() throws {
        let card = try Card()
        defer { card.board.stop() }
        for head in 0..<3 as Range<UInt16> { card.offer(head, 64, notifies: head == 2) }
        card.network.deliver(frame(150))
        try card.board.wait("three buffers", until: { card.receive.deviceUsedIndex == 3 })
        #expect(
            [card.receive.popUsed()?.length, card.receive.popUsed()?.length, card.receive.popUsed()?.length] == [
                64, 64, 34,
            ])
        #expect(card.buffer(0, 12)[10] == 3)
        #expect(Array(card.buffer(0, 64)[12...]) + card.buffer(1, 64) + card.buffer(2, 34) == frame(150))
    }

    @Test func aLongFrameWaitsForTheDriversNextBuffer() throws {
        let card = try Card()
        defer { card.board.stop() }
        card.offer(0, 64)
        card.offer(1, 64)
        card.network.deliver(frame(150))
        #expect(card.receive.deviceUsedIndex == 0)
        // The driver is to notify of the third buffer.
        #expect(card.receive.availableEvent == 2)
        card.offer(2, 64)
        try card.board.wait("three buffers", until: { card.receive.deviceUsedIndex == 3 })
        #expect(card.buffer(0, 12)[10] == 3)
    }

    @Test func withoutMergedBuffersAFrameThatDoesNotFitIsDropped() throws {
        let card = try Card(features: ~Self.mergedBuffers)
        defer { card.board.stop() }
        card.offer(0, 64)
        card.offer(1, 64)
        card.network.deliver(frame(100))
        card.network.deliver(frame(50))
        #expect(try card.board.waitUsed(card.receive) == (0, 62))
        #expect(Array(card.buffer(0, 62)[12...]) == frame(50))
        #expect(card.receive.deviceUsedIndex == 1)
    }

    @Test func aQueueFullOfBuffersThatAreTooSmallDropsTheFrame() throws {
        let card = try Card()
        defer { card.board.stop() }
        for head in 0..<16 as Range<UInt16> { card.offer(head, 16, notifies: false) }
        card.network.deliver(frame(1000))
        card.network.deliver(frame(20))
        // The short one arrives, in two buffers.
        #expect(try card.board.waitUsed(card.receive) == (0, 16))
        #expect(try card.board.waitUsed(card.receive) == (1, 16))
        #expect(card.receive.deviceUsedIndex == 2)
    }

    @Test func segmentsThatWereNotNegotiatedGoNeitherWay() throws {
        let segments: UInt64 = 1 << 7 | 1 << 8 | 1 << 11 | 1 << 12
        let card = try Card(features: ~segments, network: TestNetwork(hasOffloads: true))
        defer { card.board.stop() }
        for segmentation in [1, 3, 4, 5, 0x7F, 0x80, 0x81] as [UInt8] {
            try card.send([0, segmentation] + [UInt8](repeating: 0, count: 10) + frame(60))
            _ = try card.board.waitUsed(card.transmit)
        }
        #expect(card.network.sent.isEmpty)
        card.offer(0, 2048)
        var header = OffloadHeader()
        header.segmentation = 1
        card.network.deliver(frame(60), header: header)
        card.network.deliver(frame(61))
        #expect(try card.board.waitUsed(card.receive) == (0, 73))
    }

    @Test func aLinkThatChangesDuringAPauseIsToldAfterwards() throws {
        let card = try Card()
        defer { card.board.stop() }
        let board = try #require(card.board as? TestBoard)
        board.pause()
        card.network.setLink(false)
        #expect(board.read(0x060) & 2 == 0)
        board.resume()
        try board.wait("the interrupt", until: { board.read(0x060) & 2 == 2 })
    }

    @Test func aDriverThatWantsChecksumsGetsThem() throws {
        let card = try Card(features: ~Self.guestChecksum, network: TestNetwork(hasOffloads: true))
        defer { card.board.stop() }
        try card.board.wait("the offloads", until: { card.network.state.withLock(\.offloads) != nil })
        #expect(card.network.state.withLock(\.offloads)?.contains(.partialChecksums) == false)
        card.offer(0, 2048)
        var header = OffloadHeader()
        header.flags = OffloadHeader.needsChecksum
        header.checksumStart = 34
        header.checksumOffset = 6
        card.network.deliver(frame(60), header: header)
        let used = try card.board.waitUsed(card.receive)
        let bytes = Array(card.buffer(used.head, used.length)[12...])
        let pseudoHeader = UInt16(frame(60)[40]) << 8 | UInt16(frame(60)[41])
        #expect(card.buffer(0, 1) == [0])
        #expect(bytes[34...].withUnsafeBytes(InternetChecksum.sum) == 0xFFFF - pseudoHeader)
    }

    @Test func framesWaitWhileTheMachineIsPaused() throws {
        let card = try Card()
        defer { card.board.stop() }
        card.offer(0, 2048)
        card.board.pause()
        card.network.deliver(frame(60))
        #expect(card.receive.deviceUsedIndex == 0)
        card.board.resume()
        #expect(try card.board.waitUsed(card.receive) == (0, 72))
    }

    // MARK: The control queue

    @Test func theFilterKeepsFramesForOthersAway() throws {
        let card = try Card()
        defer { card.board.stop() }
        for head in 0..<4 as Range<UInt16> { card.offer(head, 2048) }
        // Everything comes through until promiscuous mode is switched off.
        card.network.deliver(frame(60, to: [2, 9, 9, 9, 9, 9]))
        #expect(try card.board.waitUsed(card.receive).head == 0)
        #expect(try card.command(0, 0, [0]) == 0)
        let tables: [UInt8] = [1, 0, 0, 0, 2, 8, 8, 8, 8, 8, 1, 0, 0, 0, 0x33, 0x33, 0, 0, 0, 1]
        #expect(try card.command(1, 0, tables) == 0)
        card.network.deliver(frame(61, to: [2, 9, 9, 9, 9, 9]))
        card.network.deliver(frame(61, to: [0x33, 0x33, 0, 0, 0, 2]))
        card.network.deliver(frame(62, to: [2, 8, 8, 8, 8, 8]))
        card.network.deliver(frame(63, to: [0x33, 0x33, 0, 0, 0, 1]))
        card.network.deliver(frame(64, to: [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]))
        #expect(try card.board.waitUsed(card.receive) == (1, 74))
        #expect(try card.board.waitUsed(card.receive) == (2, 75))
        #expect(try card.board.waitUsed(card.receive) == (3, 76))
    }

    @Test func theDriverCanSetItsAddress() throws {
        let card = try Card()
        defer { card.board.stop() }
        for head in 0..<2 as Range<UInt16> { card.offer(head, 2048) }
        #expect(try card.command(0, 0, [0]) == 0)
        #expect(try card.command(1, 1, [2, 7, 7, 7, 7, 7]) == 0)
        card.network.deliver(frame(60))
        card.network.deliver(frame(61, to: [2, 7, 7, 7, 7, 7]))
        #expect(try card.board.waitUsed(card.receive) == (0, 73))
        // An address of a group is nobody's.
        #expect(try card.command(1, 1, [0xFF, 7, 7, 7, 7, 7]) == 1)
    }

    @Test(
        arguments: [
            ([0, 0], []), ([0, 99], [1]), ([1, 0], [1, 0, 0]), ([1, 0], [0xFF, 0xFF, 0xFF, 0xFF]),
            ([1, 0], [1, 0, 0, 0, 2, 8, 8, 8, 8, 8]), ([1, 1], [2, 7]), ([3, 1], []), ([4, 0], [2, 0]), ([99, 0], []),
        ] as [([UInt8], [UInt8])])
    func aCommandThatMakesNoSenseIsRefused(command: [UInt8], data: [UInt8]) throws {
        let card = try Card()
        defer { card.board.stop() }
        #expect(try card.command(command[0], command[1], data) == 1)
        #expect(!card.board.needsReset)
    }

    // MARK: State

    @Test func aRestoredDriverKeepsItsFilterAndAnnouncesItself() throws {
        let card = try Card()
        #expect(try card.command(0, 0, [0]) == 0)
        #expect(try card.command(1, 1, [2, 7, 7, 7, 7, 7]) == 0)
        card.board.pause()
        let saved = try card.device.save()
        card.board.stop()

        let device = NetworkDevice(backend: TestNetwork(), address: MACAddress(value: 0x02_00_00_00_00_99))
        try device.restore(saved)
        #expect(Array(device.configuration[..<6]) == Self.address.bytes)
        #expect(device.configuration[6] == 3)
        #expect(try device.save() != saved)
        #expect(try device.save().integer("macAddress", as: UInt64.self) == 0x02_07_07_07_07_07)
    }

    @Test func aCopyWithAnAddressOfItsOwnShowsItAndItsDriverKeepsTheOldOneUntilItSetsTheNew() throws {
        let card = try Card()
        #expect(try card.command(1, 1, [2, 7, 7, 7, 7, 7]) == 0)
        card.board.pause()
        let saved = try card.device.save()
        card.board.stop()

        let address = MACAddress(value: 0xAE_00_00_00_00_99)
        let device = NetworkDevice(backend: TestNetwork(), address: address, isAddressGiven: true)
        try device.restore(saved)
        #expect(Array(device.configuration[..<6]) == address.bytes)
        // It does not announce the address of the machine that was saved.
        #expect(device.configuration[6] == 1)
        #expect(try device.save().integer("macAddress", as: UInt64.self) == 0x02_07_07_07_07_07)
    }

    @Test func aCopyAnnouncesItselfWhenItsDriverHasSetTheNewAddress() throws {
        let card = try Card(isAddressGiven: true)
        let old = MACAddress(value: 0x02_07_07_07_07_07)
        try card.device.restore(saved(address: old))
        #expect(card.device.configuration[6] == 1)
        #expect(try card.command(1, 1, old.bytes) == 0)
        #expect(card.device.configuration[6] == 1)
        #expect(try card.command(1, 1, Self.address.bytes) == 0)
        #expect(card.device.configuration[6] == 3)
        #expect(try card.command(3, 0, []) == 0)
        // Once: what the driver sets later is its own affair.
        #expect(try card.command(1, 1, Self.address.bytes) == 0)
        #expect(card.device.configuration[6] == 1)
    }

    @Test func aSavedTableOfAnotherLengthIsRefused() throws {
        let device = NetworkDevice(backend: TestNetwork(), address: Self.address)
        #expect(throws: SavedStateError.self) {
            try device.restore(saved(address: Self.address, table: [UInt8](repeating: 2, count: 7)))
        }
        try device.restore(saved(address: Self.address))
    }

    /// The state of a card with an address that its driver uses.
    private func saved(address: MACAddress, table: [UInt8] = []) -> SavedRecord {
        var saved = SavedRecord(kind: "virtio-network", version: 1)
        saved.set("generation", UInt32(1))
        saved.set("address", address.value)
        saved.set("network", [UInt8]())
        saved.set("macAddress", address.value)
        saved.set("receiveModes", UInt32(0))
        saved.set("unicastTable", table)
        saved.set("multicastTable", [UInt8]())
        return saved
    }
}
