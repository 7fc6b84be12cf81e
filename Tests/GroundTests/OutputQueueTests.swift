import Glibc
import HostSystem
import Testing

@Suite("Output that a reader may leave lying", .timeLimit(.minutes(5)))
struct OutputQueueTests {
    /// A pipe whose capacity is the smallest that the kernel has.
    private final class SmallPipe: Sendable {
        let readEnd: Int32
        let writeEnd: Int32

        init() {
            var ends: [Int32] = [-1, -1]
            #expect(pipe(&ends) == 0)
            (readEnd, writeEnd) = (ends[0], ends[1])
            // F_SETPIPE_SZ
            #expect(fcntl(ends[1], 1031, 4096) == 4096)
        }

        deinit {
            close(readEnd)
            close(writeEnd)
        }

        var isFull: Bool {
            var entry = pollfd(fd: writeEnd, events: Int16(POLLOUT), revents: 0)
            return poll(&entry, 1, 0) == 0
        }

        /// The number of bytes that lie in the pipe. (FIONREAD)
        var unread: Int {
            var count: Int32 = 0
            _ = ioctl(readEnd, 0x541B, &count)
            return Int(count)
        }

        func read(_ count: Int) -> [UInt8] {
            var bytes: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 4096)
            while bytes.count < count {
                let taken = Glibc.read(readEnd, &chunk, min(chunk.count, count - bytes.count))
                if taken <= 0 { break }
                bytes += chunk[..<taken]
            }
            return bytes
        }
    }

    private static let text: [UInt8] = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }

    @Test("Bytes arrive in their order, and flush returns when the last is written")
    func order() throws {
        let pipe = SmallPipe()
        let queue = OutputQueue(name: "test", descriptor: pipe.writeEnd, capacity: 1 << 20)
        try queue.start()
        for start in stride(from: 0, to: Self.text.count, by: 77) {
            let part = Array(Self.text[start..<min(start + 77, Self.text.count)])
            #expect(queue.write(part) == part.count)
        }
        let received = Monitor<[UInt8]>([])
        let reader = try HostThread(name: "reader") { [text = Self.text] in
            let bytes = pipe.read(text.count)
            received.update { $0 = bytes }
        }
        #expect(queue.flush())
        reader.join()
        #expect(received.withLock { $0 } == Self.text)
        #expect(queue.close() == 0)
    }

    @Test("Without a reader the queue takes its capacity and no more, and says when there is room again")
    func fullQueue() throws {
        let pipe = SmallPipe()
        let queue = OutputQueue(name: "test", descriptor: pipe.writeEnd, capacity: 10_000)
        let rooms = Monitor(0)
        try queue.start(onRoom: { rooms.update { $0 += 1 } })
        let taken = fill(queue, pipe)
        #expect((10_000...14_096).contains(taken))
        #expect(queue.write([0x42], reserve: 1) == 1)
        #expect(queue.write([0x42], reserve: 1) == 0)
        let before = rooms.withLock { $0 }
        #expect(pipe.read(taken + 1).last == 0x42)
        _ = rooms.wait { $0 > before ? () : nil }
        #expect(queue.write([0x43]) == 1)
        #expect(queue.flush())
        #expect(queue.close() == 0)
    }

    /// Writes until the pipe and the queue are full: nothing changes then until somebody reads. Returns the bytes taken.
    private func fill(_ queue: OutputQueue, _ pipe: SmallPipe) -> Int {
        var taken = 0
        while true {
            let count = queue.write([UInt8](repeating: 0x41, count: 1000))
            taken += count
            if count == 0, pipe.isFull { return taken }
        }
    }

    @Test("A thread that blocks in a write is interrupted and joined, and what was not read is counted")
    func closing() throws {
        let pipe = SmallPipe()
        let queue = OutputQueue(name: "test", descriptor: pipe.writeEnd, capacity: 10_000)
        try queue.start()
        let taken = fill(queue, pipe)
        let dropped = queue.close()
        #expect(dropped == taken - pipe.unread)
        #expect(dropped >= taken - 4096)
        // Nobody writes any more: bytes are dropped.
        #expect(queue.write([0x41]) == 1)
    }

    @Test("Whoever waits for the reader is released by abandoning the output")
    func abandoning() throws {
        let pipe = SmallPipe()
        let queue = OutputQueue(name: "test", descriptor: pipe.writeEnd, capacity: 10_000)
        try queue.start()
        let taken = fill(queue, pipe)
        let result = Monitor<Bool?>(nil)
        let waiter = try HostThread(name: "waiter") {
            let isWritten = queue.flush()
            result.update { $0 = isWritten }
        }
        queue.abandon()
        waiter.join()
        #expect(result.withLock { $0 } == false)
        #expect(queue.close() == taken - pipe.unread)
    }

    @Test("What the reader takes at once is still written after the output was abandoned")
    func lastBytes() throws {
        for _ in 0..<20 {
            let pipe = SmallPipe()
            let queue = OutputQueue(name: "test", descriptor: pipe.writeEnd, capacity: 10_000)
            try queue.start()
            #expect(queue.write(Array("last words".utf8)) == 10)
            queue.abandon()
            #expect(queue.close() == 0)
            #expect(pipe.read(10) == Array("last words".utf8))
        }
    }

    @Test("A full disk is reported once, and ends every wait")
    func failure() throws {
        let full = try FileDescriptor(path: "/dev/full", flags: O_WRONLY)
        let queue = OutputQueue(name: "test", descriptor: full.rawValue, capacity: 100)
        let failures = Monitor<[Int32]>([])
        try queue.start(onFailure: { error in failures.update { $0.append(error.code) } })
        #expect(queue.write([0x41]) == 1)
        #expect(!queue.flush())
        #expect(queue.write([UInt8](repeating: 0x41, count: 1000)) == 1000)
        #expect(queue.close() == 0)
        #expect(failures.withLock { $0 } == [ENOSPC])
        #expect(queue.failure?.code == ENOSPC)
    }
}
