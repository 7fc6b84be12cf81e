import CKVM
import Machine
import SavedState
import Testing

@testable import KVMEngine

@Suite("KVM: state", .enabled(if: Host.hasKVM, "this host has no KVM for us")) struct StateTests {
    /// Counts to 30000 in every general register's company, and reports the sum at its end.
    private static let counting =
        LongMode.prologue + """
            mov $30000, %ecx
            mov $0x1111, %r12
            xor %rbx, %rbx
            mov $0x55, %al
            out %al, $0xE0
            1: add %rcx, %rbx
            mov %rbx, 0x100000(,%rcx,2)
            xor 0x100000(,%rcx,2), %rbx
            add %rcx, %r12
            dec %rcx
            jnz 1b
            mov %r12, %rax
            out %eax, $0xE0
            shr $32, %rax
            out %eax, $0xE0
            out %al, $0xE4
            2: jmp 2b
            """

    @Test("A guest saved in the middle continues in another machine, time after time")
    func savedInTheMiddle() throws {
        var guest = try KVMGuest(Self.counting, mode: .long)
        var moves = 0
        while moves < 20, guest.done.values.isEmpty {
            #expect(
                try guest.run {
                    if moves == 0 { guest.port.wait(count: 1) }
                    yieldALittle()
                    guest.processors[0].requestExit()
                } == [.requested])
            guard guest.done.values.isEmpty else { break }
            let next = try KVMGuest(Self.counting, mode: .long)
            try next.restore(try guest.save(), memory: guest.memory)
            guest = next
            moves += 1
        }
        #expect(moves > 0)
        if guest.done.values.isEmpty { #expect(try guest.run() == [.requested]) }
        let sum: UInt64 = 30_000 * 30_001 / 2 + 0x1111
        #expect(guest.port.values.suffix(2) == [sum & 0xFFFF_FFFF, sum >> 32])
    }

    private func yieldALittle() {
        let end = Host.now + 3_000_000
        while Host.now < end {}
    }

    @Test("Every register of a vCPU survives saving, encoding and restoring")
    func roundTrip() throws {
        let guest = try KVMGuest(Self.counting, mode: .long)
        var state = try guest.processors[0].state()
        state.registers.rax = 0x0123_4567_89AB_CDEF
        state.registers.r15 = .max
        state.registers.rflags = 0xAD7
        state.specialRegisters.cr2 = 0x1234_5000
        state.specialRegisters.fs.base = 0x7FFF_0000_1000
        state.debugRegisters.db.0 = 0xAAAA
        // An SSE register: XMM3, at 160 + 16 × 3 of the legacy area; its state is in use (XSTATE_BV at 512).
        state.xsave[208] = 0x5A
        state.xsave[512] |= 2
        try guest.processors[0].setState(state)
        let record = try guest.processors[0].save()
        let other = try KVMGuest(Self.counting, mode: .long)
        try other.processors[0].restore(try SavedRecord(encoded: record.encoded(), limit: 1 << 20))
        let restored = try other.processors[0].state()
        #expect(restored.registers.rax == 0x0123_4567_89AB_CDEF)
        #expect(restored.registers.r15 == .max)
        #expect(restored.registers.rflags == 0xAD7)
        #expect(restored.specialRegisters.cr2 == 0x1234_5000)
        #expect(restored.specialRegisters.fs.base == 0x7FFF_0000_1000)
        #expect(restored.specialRegisters.cr3 == 0x2000)
        #expect(restored.debugRegisters.db.0 == 0xAAAA)
        #expect(restored.xsave[208] == 0x5A)
        #expect(restored.localAPIC == state.localAPIC)
        let unclocked = { (state: X86State) in state.msrs.filter { $0.index != 0x10 } }
        #expect(unclocked(restored) == unclocked(state))
    }

    @Test("A damaged state, and a CPUID model with features that this host lacks, are refused")
    func refusals() throws {
        let guest = try KVMGuest(Self.counting, mode: .long)
        let record = try guest.processors[0].save()
        #expect(throws: SavedStateError.self) {
            try guest.processors[0].restore(SavedRecord(kind: "x86-64-vcpu", version: 1))
        }
        #expect(throws: SavedStateError.wrongKind(found: "rv64-hart", expected: "x86-64-vcpu")) {
            try guest.processors[0].restore(SavedRecord(kind: "rv64-hart", version: 1))
        }
        var changed = SavedRecord(kind: record.kind, version: record.version)
        for (name, value) in record.fields where name != "features" { changed.set(name, value) }
        var features = SavedRecord(kind: "x86-cpuid", version: 1)
        // Leaf 7 with every bit of EBX.
        features.set("leaves", [7, 0, 1, 0, 0xFFFF_FFFF, 0, 0] as [UInt64])
        changed.set("features", features)
        do {
            try guest.processors[0].restore(changed)
            Issue.record("an impossible CPUID model was accepted")
        } catch {
            #expect(error.description.hasPrefix("vCPU 0 cannot be restored: this host's processor or KVM lacks"))
            #expect(error.description.contains("CPUID 0x7 ebx bit "))
        }
    }

    @Test("The TSC and the paravirtual clock stand still during a pause")
    func pausedTime() throws {
        let guest = try KVMGuest(Self.counting, mode: .long)
        let processor = guest.processors[0]
        // On an emulating KVM the TSC may be the host's own, which cannot be set.
        let isVirtual = try setsTSC(processor)
        guest.clock.pause()
        let before = try processor.state().msrs[0]
        let clock = try guest.clock.save()
        let end = Host.now + 300_000_000
        while Host.now < end { yieldALittle() }
        #expect(try processor.state().msrs[0] == before)
        #expect(try guest.clock.save() == clock)
        guest.clock.resume()
        #expect(try guest.clock.save() != clock)
        let counter = try processor.state().msrs[0].value
        #expect(counter > before.value)
        // 300 ms are hundreds of millions of ticks on any processor; setting the clock takes far less.
        if isVirtual { #expect(counter - before.value < 100_000_000) }
    }

    private func setsTSC(_ processor: X86Processor) throws -> Bool {
        var state = try processor.state()
        let far = state.msrs[0].value &+ 1 << 50
        state.msrs[0].value = far
        try processor.setState(state)
        return try processor.state().msrs[0].value >= far
    }

    @Test("The irqchip's state survives saving, and a reset restores its power-on state")
    func irqchip() throws {
        let guest = try KVMGuest(
            """
            .code16
            mov $0x11, %al
            out %al, $0x20
            mov $0x60, %al
            out %al, $0x21
            mov $4, %al
            out %al, $0x21
            mov $1, %al
            out %al, $0x21
            mov $0x5A, %al
            out %al, $0x21
            out %al, $0xE4
            1: jmp 1b
            """)
        let fresh = try guest.chip!.save()
        #expect(try guest.run() == [.requested])
        guest.chip!.pause()
        let saved = try guest.chip!.save()
        let pic = try #require(try saved.records("pics").first)
        #expect(try pic.integer("base") == 0x60)
        #expect(try pic.integer("masked") == 0x5A)
        let other = try KVMGuest(".code16\n1: jmp 1b")
        try other.chip!.restore(saved)
        #expect(try other.chip!.save().records("pics") == saved.records("pics"))
        #expect(try other.chip!.save().record("ioapic") == saved.record("ioapic"))
        other.chip!.reset()
        #expect(try other.chip!.save().records("pics") == fresh.records("pics"))
    }
}
