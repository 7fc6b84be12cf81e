import DiskImages
import Foundation
import GuestMemory
import HostSystem
import Testing
import Virtio
import VirtioDevices

/// A disk whose start fails when it is half done, on every transport.
@Suite("A disk that cannot start") struct FailedStartTests {
    enum Transport: CaseIterable { case mmio, pci }

    /// A clock for which the host has no descriptor left.
    private final class MissingClock: RateClock {
        static let reason = SystemError("timerfd_create", code: EMFILE)

        var now: UInt64 { 0 }
        func start(on loop: EventLoop, handler: @escaping @Sendable () -> Void) throws(SystemError) {
            throw Self.reason
        }
        func schedule(at time: UInt64) {}
        func stop() {}
    }

    private func board(_ transport: Transport, _ device: BlockDevice) throws -> any DriverBoard {
        switch transport {
        case .mmio: try TestBoard(device)
        case .pci: try PCIBoard(device)
        }
    }

    @Test("It gives its file free, serves no driver, and another disk on the file works", arguments: Transport.allCases)
    func fileIsFree(_ transport: Transport) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        try Data(repeating: 7, count: 64 * 512).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        // Only a disk with a rate has a clock.
        let rate = DeviceRate(operations: 100)
        let image = try RawDiskImage(path: path, readOnly: false)
        let failing = try board(
            transport, BlockDevice(image: image, io: TestLoop.io, rate: rate, clock: MissingClock()))
        #expect(throws: MissingClock.reason) { try failing.start() }
        #expect(throws: DiskImageError.self) { try RawDiskImage(path: path, readOnly: false) }
        failing.stop()

        // A driver that goes on with the dead device gets no answer, and the file has its next owner.
        let next = try board(
            transport, BlockDevice(image: RawDiskImage(path: path, readOnly: false), io: TestLoop.io))
        try next.start()
        defer { next.stop() }
        for (board, isServed) in [(failing, false), (next, true)] {
            let queue = try board.bringUp()
            let header = TestBoard.base + 0x10_0000
            try board.memory.store(UInt32(0), at: header)
            try board.memory.store(UInt64(3), at: header + 8)
            queue.setChain([.out(header, 16), .in(header + 512, 512), .in(header + 16, 1)])
            queue.publish(0)
            board.notify(0)
            guard isServed else {
                for _ in 0..<2 { TestLoop.shared.sync {} }
                #expect(queue.deviceUsedIndex == 0)
                continue
            }
            #expect(try board.waitUsed(queue).length == 513)
            #expect(try board.memory.bytes(at: header + 512, count: 512) == [UInt8](repeating: 7, count: 512))
        }
    }
}
