import HostNetwork
import HostSystem

@testable import VirtioDevices

/// A network card on a board, with a clock for each direction and two buffers for the driver to receive into.
struct RatedCard {
    /// Of what the driver receives, and of what it sends.
    let clocks = [TestClock(), TestClock()]
    let network = TestNetwork()
    let device: NetworkDevice
    let board: TestBoard
    let queues: [GuestQueue]
    /// 500 bytes for the card.
    let frame = [0x02, 0, 0, 0, 0, 1] + [UInt8](repeating: 7, count: 494)
    /// Where buffers lie in guest memory.
    let place = TestBoard.base + 0x10_0000

    init(rate: DeviceRate = DeviceRate()) throws {
        device = NetworkDevice(
            backend: network, address: MACAddress(value: 0x02_00_00_00_00_01), rate: rate,
            clocks: (clocks[0], clocks[1]))
        board = try TestBoard(device)
        try board.start()
        queues = try board.bringUp(queues: [0, 1, 2], size: 16)
        for head in UInt16(0)..<2 {
            queues[0].setChain([.in(place + 0x1000 * UInt64(head), 2048)], head: head)
            queues[0].publish(head)
        }
        board.notify(0)
    }
}

extension DriverBoard {
    /// Whether the device has left the driver's requests alone, after it has looked at them.
    func isWaiting(_ queue: GuestQueue) -> Bool {
        for _ in 0..<2 { TestLoop.shared.sync {} }
        return queue.deviceUsedIndex == queue.usedIndex
    }
}
