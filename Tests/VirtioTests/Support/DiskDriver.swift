import GuestMemory
import Testing
import Virtio
import VirtioDevices

/// The guest's driver of a disk: one request at a time, from fixed places in memory.
struct DiskDriver {
    static let header = TestBoard.base + 0x10_0000
    static let status = TestBoard.base + 0x10_1000
    static let table = TestBoard.base + 0x10_2000
    static let data = TestBoard.base + 0x11_0000

    let board: TestBoard
    let queue: GuestQueue

    static func start(
        _ image: MemoryDisk, serial: String = "", size: UInt16 = 16, features: UInt64 = TestBoard.allFeatures
    ) throws -> DiskDriver {
        let board = try TestBoard(BlockDevice(image: image, io: TestLoop.io, serial: serial))
        try board.transport.start()
        return DiskDriver(board: board, queue: try board.bringUp(size: size, features: features))
    }

    func stop() {
        board.transport.pause()
        board.transport.stop()
    }

    func writeHeader(_ type: UInt32, sector: UInt64) {
        try! board.memory.store(type, at: Self.header)
        try! board.memory.store(UInt32(0), at: Self.header + 4)
        try! board.memory.store(sector, at: Self.header + 8)
        try! board.memory.store(UInt8(0xEE), at: Self.status)
    }

    /// Posts a request whose data lies in `data`; `indirect` puts its descriptors into a table of their own.
    func post(
        _ type: UInt32, sector: UInt64 = 0, data: [GuestQueue.Buffer] = [], head: UInt16 = 0, indirect: Bool = false
    ) {
        writeHeader(type, sector: sector)
        let buffers = [.out(Self.header, 16)] + data + [.in(Self.status, 1)]
        if indirect {
            queue.setChain(buffers, table: Self.table)
            queue.setDescriptor(
                head, address: Self.table, length: UInt32(16 * buffers.count), flags: GuestQueue.indirect)
        } else {
            queue.setChain(buffers, head: head)
        }
        queue.publish(head)
        board.notify()
    }

    /// Posts a request and waits for it.
    ///
    /// - Returns: its status, and how many bytes the device says it wrote.
    func run(
        _ type: UInt32, sector: UInt64 = 0, data: [GuestQueue.Buffer] = [], head: UInt16 = 0, indirect: Bool = false,
        at location: SourceLocation = #_sourceLocation
    ) throws -> (status: UInt8, length: UInt32) {
        post(type, sector: sector, data: data, head: head, indirect: indirect)
        let used = try board.waitUsed(queue, at: location)
        #expect(used.head == UInt32(head), sourceLocation: location)
        return (try board.memory.load(at: Self.status), used.length)
    }

    func readData(_ count: Int) -> [UInt8] { try! board.memory.bytes(at: Self.data, count: count) }
    func writeData(_ bytes: [UInt8]) { try! board.memory.write(bytes, at: Self.data) }
}
