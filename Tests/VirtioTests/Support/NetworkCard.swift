import GuestMemory
import HostNetwork
import Testing
import Virtio
import VirtioDevices

extension NetworkDeviceTests {
    /// A card with its driver. Buffers lie at one page each.
    struct Card {
        static let data = TestBoard.base + 0x10_0000

        let network: TestNetwork
        let device: NetworkDevice
        let board: any DriverBoard
        let receive: GuestQueue
        let transmit: GuestQueue
        let control: GuestQueue

        init(
            _ transport: Transport = .mmio, features: UInt64 = TestBoard.allFeatures,
            network: TestNetwork = TestNetwork(), isAddressGiven: Bool = false
        ) throws {
            self.network = network
            device = NetworkDevice(
                backend: network, address: NetworkDeviceTests.address, isAddressGiven: isAddressGiven)
            board = transport == .mmio ? try TestBoard(device) : try PCIBoard(device)
            try board.start()
            let queues = try board.bringUp(queues: [0, 1, 2], size: 16, features: features)
            (receive, transmit, control) = (queues[0], queues[1], queues[2])
        }

        func offer(_ head: UInt16, _ length: Int, notifies: Bool = true) {
            receive.setChain([.in(Self.data + 0x1000 * UInt64(head), length)], head: head)
            receive.publish(head)
            if notifies { board.notify(0) }
        }

        func buffer(_ head: UInt32, _ count: UInt32) -> [UInt8] {
            try! board.memory.bytes(at: Self.data + 0x1000 * UInt64(head), count: Int(count))
        }

        /// Sends the bytes in two buffers, cut at `cut`.
        func send(_ bytes: [UInt8], cut: Int = 5) throws {
            let place = Self.data + 0x8_0000
            try board.memory.write(bytes, at: place)
            let cut = min(cut, bytes.count)
            transmit.setChain([.out(place, cut), .out(place + UInt64(cut), bytes.count - cut)])
            transmit.publish(0)
            board.notify(1)
        }

        func command(_ kind: UInt8, _ command: UInt8, _ data: [UInt8]) throws -> UInt8 {
            let place = Self.data + 0x9_0000
            let bytes = [kind, command] + data
            try board.memory.write(bytes, at: place)
            try board.memory.store(UInt8(0xEE), at: place + 0x1000)
            control.setChain([.out(place, bytes.count), .in(place + 0x1000, 1)])
            control.publish(0)
            board.notify(2)
            _ = try board.waitUsed(control)
            return try board.memory.load(at: place + 0x1000)
        }
    }
}
