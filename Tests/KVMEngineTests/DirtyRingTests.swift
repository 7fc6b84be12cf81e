import Glibc
import HostSystem
import Synchronization
import Testing

@testable import KVMEngine

/// The kernel's side of a ring, as its dirty_ring.c has it: places in the ring only grow.
private final class KernelRing {
    static let entries = 1024
    private let address: UnsafeMutableRawPointer
    private var appended = 0
    private var freed = 0

    /// In a mapping that outlives it.
    init(_ address: UnsafeMutableRawPointer) { self.address = address }

    private func entry(_ place: Int) -> UnsafeMutableRawPointer { address + place % Self.entries * DirtyRing.entrySize }

    /// What lets a vCPU out; at once, if the kernel is as it should be.
    var isFull: Bool { appended - freed >= Self.entries - 64 }

    func append(_ page: UInt64) {
        let entry = entry(appended)
        entry.storeBytes(of: 7, toByteOffset: 4, as: UInt32.self)
        entry.storeBytes(of: page, toByteOffset: 8, as: UInt64.self)
        entry.storeBytes(of: 1, as: UInt32.self)
        appended += 1
    }

    /// - Parameter limit: how many entries until a signal arrives.
    func reset(limit: Int = .max) -> Int {
        var count = 0
        while count < limit, entry(freed).load(as: UInt32.self) & 2 != 0 {
            entry(freed).storeBytes(of: 0, as: UInt32.self)
            freed += 1
            count += 1
        }
        return count
    }
}

@Suite("Dirty rings, with a kernel of our own") struct DirtyRingTests {
    private let ring: DirtyRing
    private let kernel: KernelRing

    init() throws {
        let mapping = try Mapping(count: KernelRing.entries * DirtyRing.entrySize, flags: MAP_PRIVATE | MAP_ANONYMOUS)
        kernel = KernelRing(mapping.address)
        ring = DirtyRing(processor: 0, entries: KernelRing.entries, mapping)
    }

    private func take(isFull: Bool = false, _ reset: (() -> Int)? = nil) throws -> (pages: [UInt64], isComplete: Bool) {
        var pages: [UInt64] = []
        let isComplete = try ring.take(isFull: isFull) { slot, page in
            #expect(slot == 7)
            pages.append(page)
        } reset: {
            reset?() ?? kernel.reset()
        }
        return (pages, isComplete)
    }

    private func append(_ pages: Range<UInt64>) { for page in pages { kernel.append(page) } }

    @Test("What the kernel appends is taken in its order, up to the last entry before its reserve, around the ring")
    func inOrder() throws {
        for round in 0..<5 as Range<UInt64> {
            append(round * 1000..<round * 1000 + 960)
            #expect(kernel.isFull)
            let (pages, isComplete) = try take(isFull: true)
            #expect(pages == Array(round * 1000..<round * 1000 + 960) && isComplete)
            #expect(!kernel.isFull)
        }
        #expect(try take() == ([], true))
    }

    @Test("Signals that cut the kernel's work short delay it, and nothing is lost")
    func signals() throws {
        append(0..<500)
        var calls = 0
        let (pages, isComplete) = try take {
            calls += 1
            return kernel.reset(limit: calls % 2 * 100)
        }
        #expect(pages == Array(0..<500) && isComplete)
        #expect(calls == 9)
        append(500..<1200)
        #expect(try take() == (Array(500..<1200), true))
    }

    @Test(
        "A ring that the kernel ran around tells of it, and is exact again after it",
        arguments: [1024, 1030, 1500, 2047, 2048, 3100, 5000])
    func overrun(count: UInt64) throws {
        append(0..<300)
        #expect(try take().isComplete)
        append(0..<count)
        #expect(try take(isFull: true).isComplete == false)
        // The kernel may count a ring full of entries that are overwritten. Its vCPU leaves the guest until it does not.
        var exits = 0
        while kernel.isFull, exits < 100 {
            #expect(try take(isFull: true) == ([], true))
            exits += 1
        }
        #expect(exits < 100)
        append(9000..<9003)
        #expect(try take() == ([9000, 9001, 9002], true))
        append(0..<960)
        #expect(try take(isFull: true) == (Array(0..<960), true))
    }

    @Test("Entries that the kernel writes over while they are taken are not silently lost")
    func overrunMeanwhile() throws {
        append(0..<900)
        var isFirst = true
        let (_, isComplete) = try take {
            // The vCPU goes on between our marks and the kernel's reset.
            if isFirst { append(900..<1100) }
            isFirst = false
            return kernel.reset()
        }
        #expect(!isComplete)
        while try !take(isFull: kernel.isFull).isComplete {}
        append(2000..<2010)
        #expect(try take() == (Array(2000..<2010), true))
    }

    @Test("An empty ring whose vCPU left the guest, as another thread was faster, is left alone")
    func emptied() throws {
        append(0..<960)
        #expect(try take().isComplete)
        #expect(try take(isFull: true) == ([], true))
        append(0..<960)
        #expect(try take().isComplete)
        #expect(try take(isFull: true) == ([], true))
        append(5..<7)
        #expect(try take() == ([5, 6], true))
    }

    @Test("Whatever the kernel overruns, every page is named, or all count as written")
    func anything() throws {
        var state: UInt64 = 20_260_101
        func random(_ bound: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % bound
        }
        for _ in 0..<2000 {
            var written: Set<UInt64> = []
            for _ in 0..<random(random(2) == 0 ? 400 : 4000) {
                let page = random(100_000)
                kernel.append(page)
                written.insert(page)
            }
            var named: Set<UInt64> = []
            var isComplete = true
            var exits = 0
            repeat {
                let taken = try take(isFull: kernel.isFull)
                named.formUnion(taken.pages)
                if !taken.isComplete { isComplete = false }
                exits += 1
            } while kernel.isFull && exits < 100
            try #require(exits < 100)
            try #require(!isComplete || named == written)
        }
    }
}
