import Glibc
import GuestMemory
import HostSystem
import SavedState
import SharedFolders
import Testing
import Virtio
import VirtioDevices

@Suite struct FileSystemDeviceTests {
    enum Transport: CaseIterable { case mmio, pci }

    /// A share of a directory of the host with its driver.
    private final class Folder {
        static let request = TestBoard.base + 0x10_0000
        static let answer = TestBoard.base + 0x18_0000
        static let data = TestBoard.base + 0x20_0000

        let path: String
        let device: FileSystemDevice
        let board: any DriverBoard
        let urgent: GuestQueue
        let queue: GuestQueue
        private var identifier: UInt64 = 0
        private var isEnded = false

        init(_ transport: Transport = .mmio) throws {
            var template = Array("/tmp/aerie-share-XXXXXX".utf8CString)
            try #require(mkdtemp(&template) != nil)
            path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let server = try FileServer(path: path, ownership: .caller, isReadOnly: false)
            device = FileSystemDevice(tag: "share0", server: server)
            board = transport == .mmio ? try TestBoard(device) : try PCIBoard(device)
            try board.start()
            let queues = try board.bringUp(queues: [0, 1], size: 32)
            (urgent, queue) = (queues[0], queues[1])
            #expect(try send(26, 0, words(7, 41, 0, 0) + [UInt8](repeating: 0, count: 48)).error == 0)
        }

        func end() {
            if !isEnded { board.stop() }
            isEnded = true
        }

        deinit {
            end()
            for name in ["file", "other", "0", "1", "2"] { unlink("\(path)/\(name)") }
            rmdir(path)
        }

        func header(_ operation: UInt32, _ node: UInt64, _ body: Int) -> [UInt8] {
            identifier += 1
            return words(UInt32(40 + body), operation) + longs(identifier, node) + words(0, 0, 0, 0)
        }

        /// Sends a request in one piece, with room for an answer of any length, and waits for it.
        func send(_ operation: UInt32, _ node: UInt64, _ body: [UInt8]) throws -> (error: Int32, payload: [UInt8]) {
            let bytes = header(operation, node, body.count) + body
            try board.memory.write(bytes, at: Self.request)
            let length = try exchange([.out(Self.request, bytes.count), .in(Self.answer, 0x1000)])
            return try answer(length)
        }

        func exchange(_ buffers: [GuestQueue.Buffer]) throws -> UInt32 {
            queue.setChain(buffers)
            queue.publish(0)
            board.notify(1)
            return try board.waitUsed(queue).length
        }

        func answer(_ length: UInt32) throws -> (error: Int32, payload: [UInt8]) {
            let bytes = try board.memory.bytes(at: Self.answer, count: Int(length))
            try #require(bytes.count >= 16)
            #expect(bytes.number(at: 0, count: 4) == UInt64(length))
            #expect(bytes.number(at: 8, count: 8) == identifier)
            return (Int32(truncatingIfNeeded: bytes.number(at: 4, count: 4)), Array(bytes[16...]))
        }

        /// Creates a file and opens it.
        func create(_ name: String) throws -> (node: UInt64, handle: UInt64) {
            let body = words(UInt32(O_RDWR), 0o644, 0, 0) + Array(name.utf8) + [0]
            let answer = try send(35, 1, body)
            try #require(answer.error == 0)
            return (answer.payload.number(at: 0, count: 8), answer.payload.number(at: 128, count: 8))
        }
    }

    @Test("The configuration has the tag and one request queue")
    func configuration() throws {
        let folder = try Folder()
        let configuration = folder.device.configuration
        #expect(configuration.count == 40)
        #expect(Array(configuration[..<7]) == Array("share0".utf8) + [0])
        #expect(configuration.number(at: 36, count: 4) == 1)
        #expect(folder.device.features == 0)
    }

    @Test(
        "Data go between the file and scattered memory of the guest, on either transport", arguments: Transport.allCases
    )
    func scattered(transport: Transport) throws {
        let folder = try Folder(transport)
        let (_, handle) = try folder.create("file")
        let data = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 3) }
        try folder.board.memory.write(data, at: Folder.data)
        // The header is cut in two, and the data in three.
        let head = folder.header(16, 0, 40 + data.count) + longs(handle, 0) + words(5000, 0) + longs(0, 0)
        try folder.board.memory.write(head, at: Folder.request)
        let length = try folder.exchange([
            .out(Folder.request, 13), .out(Folder.request + 13, 67), .out(Folder.data, 1000),
            .out(Folder.data + 1000, 3999), .out(Folder.data + 4999, 1), .in(Folder.answer, 24),
        ])
        let written = try folder.answer(length)
        #expect(written.error == 0 && written.payload.number(at: 0, count: 4) == 5000)

        try folder.board.memory.clear(at: Folder.data, count: 0x4000)
        let read = folder.header(15, 0, 40) + longs(handle, 1) + words(8192, 0) + longs(0, 0)
        try folder.board.memory.write(read, at: Folder.request)
        // The answer's header is alone; the room for data is larger than the file.
        let total = try folder.exchange([
            .out(Folder.request, 80), .in(Folder.answer, 10), .in(Folder.answer + 10, 6), .in(Folder.data, 4096),
            .in(Folder.data + 0x2000, 4096),
        ])
        #expect(total == 16 + 4999)
        #expect(try folder.board.memory.bytes(at: Folder.answer, count: 8) == words(16 + 4999, 0))
        #expect(try folder.board.memory.bytes(at: Folder.data, count: 4096) == Array(data[1...4096]))
        #expect(try folder.board.memory.bytes(at: Folder.data + 0x2000, count: 904) == Array(data[4097...] + [0]))
    }

    @Test("A file that is read is seen by whoever watches the guest's memory")
    func watched() throws {
        let folder = try Folder()
        let (_, handle) = try folder.create("file")
        let host = open("\(folder.path)/file", O_WRONLY)
        #expect(write(host, "text", 4) == 4)
        close(host)
        let page = Int((Folder.data - TestBoard.base) >> 12)
        folder.board.memory.watch.watch(page)
        try folder.board.memory.write(
            folder.header(15, 0, 40) + longs(handle, 0) + words(4096, 0) + longs(0, 0), at: Folder.request)
        _ = try folder.exchange([.out(Folder.request, 80), .in(Folder.answer, 16), .in(Folder.data, 4096)])
        #expect(!folder.board.memory.watch.isWatched(page))
        #expect(try folder.board.memory.bytes(at: Folder.data, count: 4) == Array("text".utf8))
    }

    @Test("What is forgotten has no answer, in either queue; an unknown operation has an error")
    func silent() throws {
        let folder = try Folder()
        let (node, _) = try folder.create("file")
        try folder.board.memory.write(folder.header(2, node, 8) + longs(1), at: Folder.request)
        folder.urgent.setChain([.out(Folder.request, 48)])
        folder.urgent.publish(0)
        folder.board.notify(0)
        #expect(try folder.board.waitUsed(folder.urgent).length == 0)
        try folder.board.memory.write(folder.header(2, node, 8) + longs(1), at: Folder.request)
        #expect(try folder.exchange([.out(Folder.request, 48)]) == 0)
        #expect(try folder.send(4096, 1, []).error == -ENOSYS)
        #expect(try folder.send(25, 1, longs(1, 0, 0)).error == -ENOSYS)
    }

    @Test(
        "A request without a header breaks the rules; an answer without room is left out, and nothing is written past it"
    )
    func hostileChains() throws {
        let folder = try Folder()
        _ = try folder.create("file")
        try folder.board.memory.write(folder.header(1, 1, 5) + Array("file".utf8) + [0], at: Folder.request)
        try folder.board.memory.write([UInt8](repeating: 0xEE, count: 256), at: Folder.answer)
        #expect(try folder.exchange([.out(Folder.request, 45)]) == 0)
        #expect(try folder.exchange([.out(Folder.request, 45), .in(Folder.answer, 15)]) == 0)
        // Room for the header alone: an error instead of a part.
        #expect(try folder.exchange([.out(Folder.request, 45), .in(Folder.answer, 100)]) == 16)
        #expect(try folder.answer(16).error == -EIO)
        #expect(try folder.board.memory.bytes(at: Folder.answer + 16, count: 240) == Array(repeating: 0xEE, count: 240))
        // Shorter than the header says, and shorter than a header.
        for count in [44, 39, 0] {
            let broken = try Folder()
            _ = try broken.create("file")
            try broken.board.memory.write(broken.header(1, 1, 5), at: Folder.request)
            let buffers: [GuestQueue.Buffer] = count == 0 ? [] : [.out(Folder.request, count)]
            broken.queue.setChain(buffers + [.in(Folder.answer, 4096)])
            broken.queue.publish(0)
            broken.board.notify(1)
            try broken.board.wait("the device needs a reset") { broken.board.needsReset }
        }
    }

    @Test("Many requests at a time are all answered, and a reset in their middle leaves a device that works")
    func manyAndReset() throws {
        let folder = try Folder()
        let (_, handle) = try folder.create("file")
        for round in 0..<3 {
            for slot in 0..<8 as Range<UInt16> {
                let place = Folder.request + UInt64(slot) * 0x1000
                let bytes =
                    folder.header(16, 0, 40 + 512) + longs(handle, UInt64(slot) * 512) + words(512, 0) + longs(0, 0)
                try folder.board.memory.write(bytes + [UInt8](repeating: UInt8(slot), count: 512), at: place)
                folder.queue.setChain(
                    [.out(place, 592), .in(Folder.answer + UInt64(slot) * 64, 24)], head: slot * 2)
                folder.queue.publish(slot * 2)
            }
            folder.board.notify(1)
            if round == 2 { break }
            for _ in 0..<8 { #expect(try folder.board.waitUsed(folder.queue).length == 24) }
        }
        folder.board.status = 0
        let queues = try folder.board.bringUp(queues: [0, 1], size: 32)
        folder.queue.clear()
        #expect(queues.count == 2)
        #expect(try folder.send(26, 0, words(7, 41, 0, 0) + [UInt8](repeating: 0, count: 48)).error == 0)
        // The handle went with the reset.
        #expect(try folder.send(20, 0, longs(handle, 0)).error == -EBADF)
        #expect(try folder.send(1, 1, Array("file".utf8) + [0]).error == 0)
    }

    @Test("A request that the host does not answer holds up no other request, no reset and no end of the device")
    func slowHost() throws {
        let folder = try Folder()
        let (node, handle) = try folder.create("file")
        #expect(try folder.send(18, node, longs(handle, 0, 0)).error == 0)
        // A lease lets opens for writing wait until its holder gives it up, who is told by a signal.
        signal(SIGIO, SIG_IGN)
        let holder = open("\(folder.path)/file", O_RDONLY)
        defer { close(holder) }
        try #require(fcntl(holder, setLease, Int32(F_RDLCK)) == 0)
        try folder.board.memory.write(folder.header(14, node, 8) + words(UInt32(O_RDWR), 0), at: Folder.data)
        folder.queue.setChain([.out(Folder.data, 48), .in(Folder.data + 0x80, 32)])
        folder.queue.publish(0)
        folder.board.notify(1)
        try folder.board.memory.write(folder.header(1, 1, 5) + Array("file".utf8) + [0], at: Folder.request)
        folder.queue.setChain([.out(Folder.request, 45), .in(Folder.answer, 256)], head: 4)
        folder.queue.publish(4)
        folder.board.notify(1)
        #expect(try folder.board.waitUsed(folder.queue).head == 4)
        folder.board.status = 0
        try folder.board.wait("the reset is done") { folder.board.status == 0 }
        folder.queue.clear()
        _ = try folder.board.bringUp(queues: [0, 1], size: 32)
        #expect(try folder.send(26, 0, words(7, 41, 0, 0) + [UInt8](repeating: 0, count: 48)).error == 0)
        #expect(try folder.send(1, 1, Array("file".utf8) + [0]).error == 0)
        folder.end()
        #expect(fcntl(holder, setLease, Int32(F_UNLCK)) == 0)
    }

    @Test("A saved device goes on in another one of the same tag")
    func saved() throws {
        let folder = try Folder()
        let (node, handle) = try folder.create("file")
        folder.board.pause()
        let state = try folder.device.save()
        let other = FileSystemDevice(
            tag: "share1", server: try FileServer(path: folder.path, ownership: .caller, isReadOnly: false))
        #expect(throws: SavedStateError.badField(kind: "virtio-file-system", field: "tag")) { try other.restore(state) }
        let server = try FileServer(path: folder.path, ownership: .caller, isReadOnly: false)
        let same = FileSystemDevice(tag: "share0", server: server)
        try same.restore(state)
        #expect(server.statistics.handles == 1 && server.statistics.files == 2)
        folder.board.resume()
        #expect(node == 2 && handle == 1)
    }
}

/// F_SETLEASE of Linux.
private let setLease: Int32 = 1024

private func words(_ values: UInt32...) -> [UInt8] {
    values.flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } }
}

private func longs(_ values: UInt64...) -> [UInt8] {
    values.flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } }
}

extension [UInt8] {
    fileprivate func number(at offset: Int, count: Int) -> UInt64 {
        self[offset..<offset + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
