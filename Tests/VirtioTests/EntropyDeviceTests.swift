import GuestMemory
import Testing
import Virtio
import VirtioDevices

@Suite struct EntropyDeviceTests {
    private static let data = TestBoard.base + 0x10_0000

    @Test func buffersAreFilledWithBytesThatDiffer() throws {
        let board = try TestBoard(EntropyDevice())
        try board.transport.start()
        defer {
            board.transport.pause()
            board.transport.stop()
        }
        let queue = try board.bringUp()
        queue.setChain([.in(Self.data, 64), .in(Self.data + 0x1000, 192)])
        queue.publish(0)
        board.notify()
        #expect(try board.waitUsed(queue) == (0, 256))
        let bytes =
            try board.memory.bytes(at: Self.data, count: 64)
            + board.memory.bytes(at: Self.data + 0x1000, count: 192)
        // 256 random bytes have about 162 values; less than 80 of them happens to nobody.
        #expect(Set(bytes).count > 80)
        #expect(try board.memory.bytes(at: Self.data + 64, count: 64) == Array(repeating: 0, count: 64))
    }

    @Test func aRequestGetsAtMost64KiB() throws {
        let board = try TestBoard(EntropyDevice())
        try board.transport.start()
        defer {
            board.transport.pause()
            board.transport.stop()
        }
        let queue = try board.bringUp()
        queue.setChain([.in(Self.data, 0x2_0000)])
        queue.publish(0)
        queue.setChain([.out(Self.data, 16)], head: 1)
        queue.publish(1)
        board.notify()
        #expect(try board.waitUsed(queue) == (0, 0x1_0000))
        #expect(try board.waitUsed(queue) == (1, 0))
        #expect(!board.needsReset)
    }
}
