import Glibc
import HostSystem
import Synchronization
import Testing

@testable import KVMEngine

/// The kernel's side of a dirty ring, after virt/kvm/dirty_ring.c. `appended` and `freed` only grow.
private final class KernelRing {
    static let entries = 1024
    private let address: UnsafeMutableRawPointer
    private var appended = 0
    private var freed = 0

    /// Uses the ring's mapping, which must outlive this object.
    init(_ address: UnsafeMutableRawPointer) { self.address = address }

    private func entry(_ place: Int) -> UnsafeMutableRawPointer { address + place % Self.entries * DirtyRing.entrySize }

    /// The soft limit, at which a vCPU exits; 64 entries are the reserve.
    var isFull: Bool { appended - freed >= Self.entries - 64 }

    func append(_ page: UInt64) {
        let entry = entry(appended)
        entry.storeBytes(of: 7, toByteOffset: 4, as: UInt32.self)
        entry.storeBytes(of: page, toByteOffset: 8, as: UInt64.self)
        entry.storeBytes(of: 1, as: UInt32.self)
        appended += 1
    }

    /// KVM_RESET_DIRTY_RINGS.
    ///
    /// - Parameter limit: entries until a signal interrupts the call.
    /// - Returns: the number of reset entries.
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

@Suite("Dirty rings, against a model of the kernel") struct DirtyRingTests {
    private let ring: DirtyRing
    private let kernel: KernelRing

    init() throws {
        let mapping = try Mapping(count: KernelRing.entries * DirtyRing.entrySize, flags: MAP_PRIVATE | MAP_ANONYMOUS)
        kernel = KernelRing(mapping.address)
        ring = DirtyRing(vcpu: 0, entries: KernelRing.entries, mapping)
    }

    private func harvest(isFull: Bool = false, _ reset: (() -> Int)? = nil) throws -> (
        pages: [UInt64], isComplete: Bool
    ) {
        var pages: [UInt64] = []
        let isComplete = try ring.harvest(isFull: isFull) { slot, page in
            #expect(slot == 7)
            pages.append(page)
        } reset: {
            reset?() ?? kernel.reset()
        }
        return (pages, isComplete)
    }

    private func append(_ pages: Range<UInt64>) { for page in pages { kernel.append(page) } }

    @Test("Entries are harvested in order, up to the reserve, also when the ring wraps around")
    func inOrder() throws {
        for round in 0..<5 as Range<UInt64> {
            append(round * 1000..<round * 1000 + 960)
            #expect(kernel.isFull)
            let (pages, isComplete) = try harvest(isFull: true)
            #expect(pages == Array(round * 1000..<round * 1000 + 960) && isComplete)
            #expect(!kernel.isFull)
        }
        #expect(try harvest() == ([], true))
    }

    @Test("No entry is lost when signals interrupt the reset")
    func signals() throws {
        append(0..<500)
        var calls = 0
        let (pages, isComplete) = try harvest {
            calls += 1
            return kernel.reset(limit: calls % 2 * 100)
        }
        #expect(pages == Array(0..<500) && isComplete)
        #expect(calls == 9)
        append(500..<1200)
        #expect(try harvest() == (Array(500..<1200), true))
    }

    @Test(
        "An overrun is reported, and later harvests are exact again",
        arguments: [1024, 1030, 1500, 2047, 2048, 3100, 5000])
    func overrun(count: UInt64) throws {
        append(0..<300)
        #expect(try harvest().isComplete)
        append(0..<count)
        #expect(try harvest(isFull: true).isComplete == false)
        // The kernel may count overwritten entries as a full ring. The vCPU exits until they are reset.
        var exits = 0
        while kernel.isFull, exits < 100 {
            #expect(try harvest(isFull: true) == ([], true))
            exits += 1
        }
        #expect(exits < 100)
        append(9000..<9003)
        #expect(try harvest() == ([9000, 9001, 9002], true))
        append(0..<960)
        #expect(try harvest(isFull: true) == (Array(0..<960), true))
    }

    @Test("An overrun during the harvest is reported")
    func overrunMeanwhile() throws {
        append(0..<900)
        var isFirst = true
        let (_, isComplete) = try harvest {
            // The vCPU runs between the marks and the reset.
            if isFirst { append(900..<1100) }
            isFirst = false
            return kernel.reset()
        }
        #expect(!isComplete)
        while try !harvest(isFull: kernel.isFull).isComplete {}
        append(2000..<2010)
        #expect(try harvest() == (Array(2000..<2010), true))
    }

    @Test("A full ring that another thread has just harvested is left alone")
    func emptied() throws {
        append(0..<960)
        #expect(try harvest().isComplete)
        #expect(try harvest(isFull: true) == ([], true))
        append(0..<960)
        #expect(try harvest().isComplete)
        #expect(try harvest(isFull: true) == ([], true))
        append(5..<7)
        #expect(try harvest() == ([5, 6], true))
    }

    @Test("Every dirty page is harvested, or an overrun is reported")
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
                let harvested = try harvest(isFull: kernel.isFull)
                named.formUnion(harvested.pages)
                if !harvested.isComplete { isComplete = false }
                exits += 1
            } while kernel.isFull && exits < 100
            try #require(exits < 100)
            try #require(!isComplete || named == written)
        }
    }
}
