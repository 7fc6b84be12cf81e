import GuestMemory
import HostSystem
import KVMEngine
import Machine
import Synchronization
import Testing

@Suite("KVM: dirty tracking", .enabled(if: Host.hasKVM, "this host has no KVM for us")) struct DirtyTrackingTests {
    /// The tracking modes of this host. The rings have the smallest size, so that they wrap around most often.
    static let modes: [KVMMachine.DirtyTracking] = Host.hasRings ? [.bitmap, .rings(entries: 1024)] : [.bitmap]

    /// Writes to one of three of 6000 pages from 2 MiB on, says so, and goes on with another one of three.
    private static let thirds =
        """
        .code64
        xor %esi, %esi
        1: mov %esi, %edi
        2: mov %edi, %eax
        shl $12, %eax
        incl 0x200000(%rax)
        add $3, %edi
        cmp $6000, %edi
        jb 2b
        out %al, $0xE4
        inc %esi
        cmp $3, %esi
        jb 1b
        xor %esi, %esi
        jmp 1b
        """

    /// A guest with `pages` dirty-logged pages from 2 MiB on.
    private func guest(
        _ assembly: String, mode: KVMGuest.Mode, cpus: Int = 1, pages: UInt64, _ tracking: KVMMachine.DirtyTracking
    ) throws -> (guest: KVMGuest, memory: GuestMemory, slot: UInt32) {
        let guest = try KVMGuest(assembly, mode: mode, cpus: cpus, dirtyTracking: tracking)
        let memory = try GuestMemory(ranges: [(0x20_0000, pages << 12)])
        return (guest, memory, try guest.machine.map(memory, access: .dirtyLogged)[0])
    }

    @Test("The dirty pages are exactly those written since the last call", arguments: modes)
    func exactly(tracking: KVMMachine.DirtyTracking) throws {
        let guest = try KVMGuest(
            """
            .code64
            mov $0x100000, %edi
            movb $1, (%rdi)
            movb $1, 0x5FFF(%rdi)
            movq $1, 0x8FFC(%rdi)
            mov 0x20000(%rdi), %rax
            movb $1, 0xFF000(%rdi)
            mov $7, %al
            out %al, $0xE4
            movb $1, 0x41000(%rdi)
            out %al, $0xE4
            1: jmp 1b
            """, mode: .long, access: .dirtyLogged, dirtyTracking: tracking)
        _ = try guest.machine.takeDirtyPages(of: guest.slots[1])
        #expect(try guest.run() == [.requested])
        #expect(try guest.machine.takeDirtyPages(of: guest.slots[1]) == [0, 5, 8, 9, 0xFF])
        #expect(try guest.machine.takeDirtyPages(of: guest.slots[1]) == [])
        #expect(try guest.run() == [.requested])
        #expect(try guest.machine.takeDirtyPages(of: guest.slots[1]) == [0x41])
    }

    @Test("Dirty pages are exact when there are many more than a ring has entries", arguments: modes)
    func manyTurns(tracking: KVMMachine.DirtyTracking) throws {
        let (guest, _, slot) = try guest(
            Self.thirds, mode: .user, pages: 6000, tracking)
        for round in 0..<9 as Range<UInt64> {
            #expect(try guest.run() == [.requested])
            let pages = try guest.machine.takeDirtyPages(of: slot)
            #expect(
                pages.elementsEqual(stride(from: round % 3, to: 6000, by: 3)), "round \(round): \(pages.count) pages")
        }
        #expect(try guest.machine.takeDirtyPages(of: slot) == [])
    }

    @Test(
        "The log of written pages has what a vCPU writes, without dirty tracking",
        .enabled("this kernel has no log of written pages") {
            (try? GuestMemory(ranges: [(0, 4096)], logsWrites: true))?.writeLog != nil
        })
    func writeLog() throws {
        let guest = try KVMGuest(Self.thirds, mode: .user)
        let memory = try GuestMemory(ranges: [(0x20_0000, 6000 << 12)], logsWrites: true)
        _ = try guest.machine.map(memory, access: .readWrite)
        let log = try #require(memory.writeLog)
        #expect(try guest.run() == [.requested])
        #expect(try log.begin())
        for round in 1..<7 as Range<UInt64> {
            #expect(try guest.run() == [.requested])
            let pages = try log.take().flatMap { $0.lowerBound >> 12..<$0.upperBound >> 12 }
            #expect(
                pages.elementsEqual(stride(from: round % 3, to: 6000, by: 3)), "round \(round): \(pages.count) pages")
        }
        #expect(try log.take() == [])
        log.end()
        #expect(try guest.run() == [.requested])
    }

    @Test("Memory copied page by page while several vCPUs write to it is equal in the end", arguments: modes)
    func runningCopy(tracking: KVMMachine.DirtyTracking) throws {
        let pages: UInt64 = 3000
        let (guest, memory, slot) = try guest(
            """
            .code64
            // Anywhere in the pages, at a place of its own in each.
            lea 1(%rsi), %rax
            mov $0x5851F42D4C957F2D, %rbx
            mov $8000, %ecx
            1: imul %rbx, %rax
            add $0x14057B7E, %rax
            mov %rax, %rdx
            shr $33, %rdx
            imul $3000, %rdx, %rdx
            shr $31, %rdx
            shl $12, %rdx
            mov %rax, 0x200000(%rdx, %rsi, 8)
            dec %ecx
            jnz 1b
            lock incb (0x500)
            2: pause
            cmpb $3, (0x500)
            jne 2b
            out %al, $0xE4
            3: pause
            jmp 3b
            """, mode: .user, cpus: 3, pages: pages, tracking)
        var copy = [UInt8](repeating: 0, count: Int(pages) << 12)
        func follow() throws {
            for page in try guest.machine.takeDirtyPages(of: slot) {
                let start = Int(page) << 12
                copy.replaceSubrange(
                    start..<start + 4096, with: try memory.bytes(at: 0x20_0000 + page << 12, count: 4096))
            }
        }
        let exits = try guest.run { while guest.done.written.isEmpty { try follow() } }
        #expect(exits == [.requested, .requested, .requested])
        try follow()
        #expect(try memory.bytes(at: 0x20_0000, count: copy.count) == copy)
        #expect(copy.contains { $0 != 0 })
    }

    @Test(
        "After a ring overrun all pages count as dirty, and later calls are exact again",
        .enabled(if: Host.hasRings, "this host's KVM has no dirty rings"))
    func overrun() throws {
        // The guest runs in ring 0: an emulating KVM executes much of it without checking the dirty ring and overruns it. Other
        // KVMs respect the reserve and report the exact pages.
        let (guest, _, slot) = try guest(
            """
            .code64
            cld
            1: mov $0x200000, %edi
            mov $5000, %ecx
            2: incl (%rdi)
            add $0x1000, %rdi
            dec %ecx
            jnz 2b
            out %al, $0xE4
            incl 0x203000
            incl 0x903000
            out %al, $0xE4
            mov $0x200000, %edi
            mov $0x8000, %ecx
            rep stosq
            out %al, $0xE4
            incl 0x205000
            out %al, $0xE4
            jmp 1b
            """, mode: .long, pages: 6000, .rings(entries: 1024))
        let all = 0..<6000 as Range<UInt64>
        for _ in 0..<3 {
            #expect(try guest.run() == [.requested])
            var pages = try guest.machine.takeDirtyPages(of: slot)
            #expect(pages.elementsEqual(all) || pages.elementsEqual(all.prefix(5000)), "\(pages.count) pages")
            #expect(try guest.run() == [.requested])
            #expect(try guest.machine.takeDirtyPages(of: slot) == [3, 0x703])
            #expect(try guest.run() == [.requested])
            pages = try guest.machine.takeDirtyPages(of: slot)
            #expect(pages.elementsEqual(all) || pages.elementsEqual(all.prefix(64)), "\(pages.count) pages")
            #expect(try guest.run() == [.requested])
            #expect(try guest.machine.takeDirtyPages(of: slot) == [5])
        }
    }
}
