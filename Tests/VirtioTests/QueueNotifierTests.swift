import GuestMemory
import HostSystem
import Machine
import PCI
import Synchronization
import Testing

@testable import Virtio
@testable import VirtioDevices

/// Notes where notifiers are; a place can be made to refuse them.
private final class NotifierRecorder: IOEventBoard {
    struct Place: Hashable {
        let address: UInt64
        let size: Int
        let value: UInt64
    }

    private let places = Mutex<[Place: EventNotifier]>([:])
    private let refused: UInt64

    init(refusing address: UInt64 = 0) { refused = address }

    var all: [Place] { places.withLock { $0.keys.sorted { $0.address < $1.address } } }

    func notifier(at address: UInt64) -> EventNotifier? {
        places.withLock { $0.first { $0.key.address == address }?.value }
    }

    func connect(_ notifier: EventNotifier, at address: UInt64, size: Int, value: UInt64) -> Bool {
        guard address != refused else { return false }
        places.withLock { $0[Place(address: address, size: size, value: value)] = notifier }
        return true
    }

    func disconnect(_ notifier: EventNotifier, at address: UInt64, size: Int, value: UInt64) {
        places.withLock { places in
            if places[Place(address: address, size: size, value: value)] === notifier {
                places[Place(address: address, size: size, value: value)] = nil
            }
        }
    }
}

private final class NoMessages: MessageSink {
    func send(_ message: InterruptMessage) {}
}

@Suite("Notifications by eventfd") struct QueueNotifierTests {
    private let memory: GuestMemory

    init() throws {
        memory = try GuestMemory(ranges: [(TestBoard.base, TestBoard.size)])
    }

    private func transport(_ notifiers: NotifierRecorder) -> VirtioPCITransport {
        let disk = BlockDevice(image: MemoryDisk(sectors: 8), io: TestLoop.io, queueCount: 2)
        return VirtioPCITransport(
            name: "disk", device: disk, memory: memory, messages: NoMessages(), notifiers: notifiers,
            loop: TestLoop.shared)
    }

    private func write(_ transport: VirtioPCITransport, _ offset: Int, _ size: Int, _ value: UInt64) {
        transport.configuration.write(at: offset, size: size, value: value)
        transport.configurationWritten(at: offset, size: size)
    }

    @Test("Each queue's notifier is at its notification register, wherever the guest places it, and nowhere else")
    func moving() throws {
        let notifiers = NotifierRecorder()
        let transport = transport(notifiers)
        write(transport, 0x10, 4, 0xC000_0000)
        #expect(notifiers.all == [])
        write(transport, 4, 2, 2)
        #expect(
            notifiers.all == [
                .init(address: 0xC000_3000, size: 2, value: 0), .init(address: 0xC000_3004, size: 2, value: 1),
            ])
        let first = try #require(notifiers.notifier(at: 0xC000_3000))
        write(transport, 0x10, 4, 0xD000_0000)
        #expect(notifiers.all.map(\.address) == [0xD000_3000, 0xD000_3004])
        #expect(notifiers.notifier(at: 0xD000_3000) === first)
        #expect(notifiers.notifier(at: 0xD000_3004) !== first)
        write(transport, 0x14, 4, 0x40)
        #expect(notifiers.all.map(\.address) == [0x40_D000_3000, 0x40_D000_3004])
        write(transport, 4, 2, 0)
        #expect(notifiers.all == [])
    }

    @Test("Notifiers go at a reset, and come back where a restored driver has placed them")
    func resetAndRestore() throws {
        let notifiers = NotifierRecorder()
        let transport = transport(notifiers)
        write(transport, 0x10, 4, 0xC000_0000)
        write(transport, 4, 2, 2)
        let saved = try transport.save()
        transport.reset()
        #expect(notifiers.all == [])
        try transport.restore(saved)
        #expect(notifiers.all.map(\.address) == [0xC000_3000, 0xC000_3004])
    }

    @Test("A notifier that cannot be placed leaves the others, and moves with them later")
    func refusal() throws {
        let notifiers = NotifierRecorder(refusing: 0xC000_3000)
        let transport = transport(notifiers)
        write(transport, 4, 2, 2)
        write(transport, 0x10, 4, 0xC000_0000)
        #expect(notifiers.all.map(\.address) == [0xC000_3004])
        write(transport, 0x10, 4, 0xD000_0000)
        #expect(notifiers.all.map(\.address) == [0xD000_3000, 0xD000_3004])
        write(transport, 4, 2, 0)
        #expect(notifiers.all == [])
    }

    @Test("A queue's event notifier notifies the device, and has no effect before the queue is there")
    func notifying() throws {
        let device = EntropyDevice()
        let board = try TestBoard(device, memory: memory)
        try board.transport.start()
        defer {
            board.transport.pause()
            board.transport.stop()
        }
        let notifier = try #require(board.transport.core.service.notifier(0))
        notifier.notify()
        let queue = try board.bringUp()
        for head in 0..<2 as Range<UInt16> {
            queue.setChain([.in(TestBoard.base + 0x10_0000, 64)], head: head)
            queue.publish(head)
            notifier.notify()
            #expect(try board.waitUsed(queue) == (UInt32(head), 64))
        }
    }
}
