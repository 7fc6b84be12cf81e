import Glibc
import GuestToolchain
import HostSystem
import Testing

@testable import DiskImages

@Suite("Disk I/O with many requests in flight") struct DiskIOTests {
    private let directory = TemporaryDirectory()

    /// Runs `body` with I/O on a loop of its own.
    private func withIO(_ method: DiskIO.Method, _ body: (DiskIO) throws -> Void) throws {
        let loop = try EventLoop(name: "test-loop")
        let io = DiskIO(loop: loop, method: method)
        try loop.start()
        defer { loop.stop() }
        try body(io)
    }

    private final class Results: Sendable {
        let all = Monitor<[DiskImageError?]>([])
        func add(_ error: DiskImageError?) { all.update { $0.append(error) } }
        func wait(_ count: Int) -> [DiskImageError?] { all.wait { $0.count == count ? $0 : nil } ?? [] }
    }

    @Test("A thousand reads and writes at once all take place", arguments: [DiskIO.Method.automatic, .threads])
    func depth(_ method: DiskIO.Method) throws {
        let count = 1000
        let path = try directory.file("disk", pattern(count * 512))
        let image = try RawDiskImage(path: path, readOnly: false)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count * 512, alignment: 512)
        defer { memory.deallocate() }
        memory.copyBytes(from: pattern(count * 512, 7))
        let results = Results()
        let sectors = (0..<count).map {
            IOBuffers(UnsafeMutableRawBufferPointer(rebasing: memory[$0 * 512..<($0 + 1) * 512]))
        }
        try withIO(method) { io in
            io.loop.async {
                // Even sectors are written, odd ones read.
                let group = IOGroup(io)
                for (index, buffers) in sectors.enumerated() {
                    let offset = UInt64(index) * 512
                    let request: DiskRequest =
                        index % 2 == 0 ? .write(at: offset, from: buffers) : .read(at: offset, into: buffers)
                    image.submit(request, in: group, completion: results.add)
                }
            }
            #expect(results.wait(count) == Array(repeating: nil, count: count))
        }
        let (old, new) = (pattern(count * 512), pattern(count * 512, 7))
        var expected: [UInt8] = []
        for index in 0..<count { expected += (index % 2 == 0 ? new : old)[index * 512..<(index + 1) * 512] }
        #expect(try directory.contents(path) == expected)
        #expect(Array(memory) == expected)
    }

    @Test(
        "Every request of a cancelled group is completed once, and those of others are not touched",
        arguments: [DiskIO.Method.automatic, .threads])
    func cancelling(_ method: DiskIO.Method) throws {
        let count = 500
        let image = try RawDiskImage(path: try directory.file("disk", pattern(count * 512)), readOnly: true)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * count * 512, alignment: 512)
        defer { memory.deallocate() }
        let sectors = (0..<2 * count).map {
            IOBuffers(UnsafeMutableRawBufferPointer(rebasing: memory[$0 * 512..<($0 + 1) * 512]))
        }
        let (kept, cancelled) = (Results(), Results())
        try withIO(method) { io in
            io.loop.async {
                let (stays, goes) = (IOGroup(io), IOGroup(io))
                for index in 0..<count {
                    let offset = UInt64(index) * 512
                    image.submit(.read(at: offset, into: sectors[index]), in: stays, completion: kept.add)
                    image.submit(
                        .read(at: offset, into: sectors[count + index]), in: goes, completion: cancelled.add)
                }
                goes.cancel()
            }
            #expect(kept.wait(count) == Array(repeating: nil, count: count))
            let ends = cancelled.wait(count)
            #expect(ends.allSatisfy { $0 == nil || $0 == .cancelled })
            // Nothing was submitted to the ring before the cancellation.
            if io.loop.sync({ io.usesRing }) { #expect(ends == Array(repeating: .cancelled, count: count)) }
        }
        #expect(Array(memory[..<(count * 512)]) == pattern(count * 512))
    }

    @Test(
        "An operation that the host would never finish is cancelled", .enabled(if: DiskIOTests.hasRing, "no io_uring"))
    func cancellingInFlight() throws {
        try withIO(.automatic) { io in
            var ends: [Int32] = [0, 0]
            #expect(pipe(&ends) == 0)
            let reading = FileDescriptor(owning: ends[0])
            let writing = FileDescriptor(owning: ends[1])
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 512)
            defer { memory.deallocate() }
            let buffers = IOBuffers(memory)
            let transfer = FileTransfer(.read(present: .max), reading, buffers)
            let results = Results()
            let group = IOGroup(io)
            io.loop.sync { io.submit(FileOperation(transfer, in: group, completion: results.add)) }
            // The submission takes place before the loop waits again; this job comes later.
            io.loop.sync { group.cancel() }
            #expect(results.wait(1) == [.cancelled])
            try writing.writeAll(UnsafeRawBufferPointer(memory))
        }
    }

    @Test("Where the kernel refuses io_uring, threads do the same")
    func refusal() throws {
        let loop = try EventLoop(name: "test-loop")
        let io = DiskIO(
            loop: loop, makeRing: { () throws(SystemError) in throw SystemError("io_uring_setup", code: EPERM) })
        try loop.start()
        defer { loop.stop() }
        #expect(loop.sync { io.usesRing } == false)
        let image = try RawDiskImage(path: try directory.file("disk", pattern(4096)), readOnly: true)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 512)
        defer { memory.deallocate() }
        let buffers = IOBuffers(memory)
        let results = Results()
        loop.async { image.submit(.read(at: 0, into: buffers), in: IOGroup(io), completion: results.add) }
        #expect(results.wait(1) == [nil])
        #expect(Array(memory) == pattern(4096))
    }

    @Test(
        "What a visitor of the loop submits takes place, at once or later, small or large",
        arguments: [DiskIO.Method.automatic, .threads])
    func visitors(_ method: DiskIO.Method) throws {
        let sizes = [512, 4096, 65536, 65536 + 512, 1 << 20]
        let total = sizes.reduce(0, +)
        let path = try directory.file("disk", pattern(2 * total))
        let image = try RawDiskImage(path: path, readOnly: false)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * total, alignment: 512)
        defer { memory.deallocate() }
        memory.copyBytes(from: pattern(2 * total, 7))
        let results = Results()
        try withIO(method) { io in
            let group = IOGroup(io)
            var position = 0
            // For each size a read and a write behind it.
            for size in sizes {
                func buffers(at start: Int) -> IOBuffers {
                    IOBuffers(UnsafeMutableRawBufferPointer(rebasing: memory[start..<start + size]))
                }
                let (reading, writing) = (buffers(at: position), buffers(at: position + size))
                let offset = UInt64(position)
                let body = {
                    image.submit(.read(at: offset, into: reading), in: group, completion: results.add)
                    image.submit(.write(at: offset + UInt64(size), from: writing), in: group, completion: results.add)
                }
                while !io.loop.visit(body) { sched_yield() }
                position += 2 * size
            }
            #expect(results.wait(2 * sizes.count) == Array(repeating: nil, count: 2 * sizes.count))
        }
        let (old, new) = (pattern(2 * total), pattern(2 * total, 7))
        var expected: [UInt8] = []
        for size in sizes {
            let start = expected.count
            expected += old[start..<start + size] + new[start + size..<start + 2 * size]
        }
        #expect(try directory.contents(path) == expected)
        #expect(Array(memory) == expected)
    }

    @Test("A visitor's small read of what the host has in memory is finished before the visit ends")
    func readAtOnce() throws {
        let image = try RawDiskImage(path: try directory.file("disk", pattern(4096)), readOnly: true)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 512)
        defer { memory.deallocate() }
        let buffers = IOBuffers(memory)
        // Few file systems cannot; a page that was just written is in the host's cache.
        var transfer = FileTransfer(.read(present: 4096), image.file, buffers)
        guard case .finished = transfer.tryAtOnce() else {
            try Test.cancel("this file system has no RWF_NOWAIT")
        }
        try withIO(.automatic) { io in
            let thread = Monitor<UInt?>(nil)
            let group = IOGroup(io)
            let body = {
                image.submit(.read(at: 0, into: buffers), in: group) { error in
                    if error == nil { thread.update { $0 = UInt(pthread_self()) } }
                }
            }
            while !io.loop.visit(body) { sched_yield() }
            #expect(thread.withLock { $0 } == UInt(pthread_self()))
        }
        #expect(Array(memory) == pattern(4096))
    }

    @Test("A loop that starts again has its I/O again", arguments: [DiskIO.Method.automatic, .threads])
    func restart(_ method: DiskIO.Method) throws {
        let loop = try EventLoop(name: "test-loop")
        let io = DiskIO(loop: loop, method: method)
        let image = try RawDiskImage(path: try directory.file("disk", pattern(4096)), readOnly: true)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 512)
        defer { memory.deallocate() }
        let buffers = IOBuffers(memory)
        for _ in 0..<3 {
            try loop.start()
            let results = Results()
            loop.async { image.submit(.read(at: 0, into: buffers), in: IOGroup(io), completion: results.add) }
            #expect(results.wait(1) == [nil])
            loop.stop()
        }
    }

    static let hasRing: Bool = {
        do {
            _ = try IORing(entries: 2)
            return true
        } catch {
            return false
        }
    }()
}
