import GuestMemory
import HostNetwork
import HostSystem
import Testing
import Virtio
import VirtioDevices

@Suite struct NetworkLinkTests {
    @Test func aLinkThatIsTakenDownLosesFramesAndTellsTheDriver() throws {
        let network = TestNetwork()
        let device = NetworkDevice(backend: network, address: MACAddress(value: 0x02_00_00_00_00_01))
        let board = try TestBoard(device)
        try board.start()
        defer { board.stop() }
        let queues = try board.bringUp(queues: [0, 1, 2], size: 16)
        let place = TestBoard.base + 0x10_0000
        let frame = [0x02, 0, 0, 0, 0, 1] + [UInt8](repeating: 7, count: 54)
        func status() -> UInt8 { device.configuration[6] }
        func changes() -> UInt32 { board.read(0x060) & 2 }

        #expect(status() == 1)
        board.acknowledgeInterrupts()
        device.setLink(isUp: false)
        #expect(status() == 0)
        try board.wait("a change of the configuration") { changes() == 2 }
        // The network's own link does not matter meanwhile.
        network.setLink(false)
        network.setLink(true)
        #expect(status() == 0)
        queues[0].setChain([.in(place, 2048)])
        queues[0].publish(0)
        board.notify(0)
        network.deliver(frame)
        try board.memory.write([UInt8](repeating: 0, count: 12) + frame, at: place + 0x8000)
        queues[1].setChain([.out(place + 0x8000, 72)])
        queues[1].publish(0)
        board.notify(1)
        #expect(try board.waitUsed(queues[1]) == (0, 0))
        #expect(network.sent.isEmpty)
        #expect(network.state.withLock { $0.waiting.isEmpty })

        TestLoop.shared.sync {}
        board.acknowledgeInterrupts()
        let generation = device.configurationGeneration
        device.setLink(isUp: true)
        #expect(status() == 1)
        #expect(device.configurationGeneration == generation + 1)
        try board.wait("a change of the configuration") { changes() == 2 }
        network.deliver(frame + [1])
        #expect(try board.waitUsed(queues[0]) == (0, 73))
    }
}
