import GuestMemory
import HostSystem
import KVMEngine
import Machine
import Testing

@Suite("KVM: interrupts", .enabled(if: Host.hasKVM, "this host has no KVM for us")) struct InterruptTests {
    /// Real-mode code that sets up the first PIC: vectors from 0x20, `mask` as its mask, `handler` for `vector`.
    private static func pic(mask: Int, vector: Int, handler: String) -> String {
        """
        .code16
        xor %ax, %ax
        mov %ax, %ds
        mov %ax, %ss
        mov $0x7000, %sp
        movw $\(handler), (4*\(vector))
        movw $0, (4*\(vector)+2)
        mov $0x11, %al
        out %al, $0x20
        mov $0x20, %al
        out %al, $0x21
        mov $4, %al
        out %al, $0x21
        mov $1, %al
        out %al, $0x21
        mov $\(mask), %al
        out %al, $0x21

        """
    }

    @Test("The interval timer interrupts a halted processor through the PIC, again and again")
    func intervalTimer() throws {
        let guest = try KVMGuest(
            Self.pic(mask: 0xFE, vector: 0x20, handler: "tick") + """
                mov $0x34, %al
                out %al, $0x43
                mov $0xFF, %al
                out %al, $0x40
                mov $0x03, %al
                out %al, $0x40
                mov $5, %cx
                1: sti
                hlt
                loop 1b
                out %al, $0xE4
                2: jmp 2b
                tick:
                push %ax
                mov $0x7C, %al
                out %al, $0xE0
                mov $0x20, %al
                out %al, $0x20
                pop %ax
                iret
                """)
        #expect(try guest.run() == [.requested])
        #expect(guest.port.values == [0x7C, 0x7C, 0x7C, 0x7C, 0x7C])
    }

    /// A 64-bit guest that enables its local APIC, writes 1 to the port, and reports interrupt 0x40.
    private static let waitsForMessage =
        LongMode.prologue + """
            lea message(%rip), %rax
            mov $0x40, %edi
            call set_gate
            movl $0x1FF, 0xF0(%r15)
            sti
            mov $1, %al
            out %al, $0xE0
            1: hlt
            jmp 1b
            message:
            mov $0x40, %al
            out %al, $0xE0
            movl $0, 0xB0(%r15)
            out %al, $0xE4
            2: jmp 2b
            """

    @Test(
        "A message is delivered to the local APIC of its address, with a full and with a split irqchip",
        arguments: [KVMMachine.IRQChip.full, .split])
    func message(irqchip: KVMMachine.IRQChip) throws {
        let guest = try KVMGuest(Self.waitsForMessage, mode: .long, irqchip: irqchip)
        let exits = try guest.run {
            guest.port.wait(count: 1)
            guest.machine.send(InterruptMessage(address: 0xFEE0_0000, data: 0x40))
        }
        #expect(exits == [.requested])
        #expect(guest.port.values == [1, 0x40])
    }

    @Test("The local timer interrupts")
    func localTimer() throws {
        let guest = try KVMGuest(
            LongMode.prologue + """
                lea tick(%rip), %rax
                mov $0x41, %edi
                call set_gate
                movl $0x1FF, 0xF0(%r15)
                movl $0x3, 0x3E0(%r15)
                movl $0x20041, 0x320(%r15)
                movl $100000, 0x380(%r15)
                mov $3, %ebx
                sti
                1: hlt
                jmp 1b
                tick:
                mov $0x41, %al
                out %al, $0xE0
                movl $0, 0xB0(%r15)
                dec %ebx
                jz 2f
                iretq
                2: movl $0, 0x380(%r15)
                out %al, $0xE4
                3: jmp 3b
                """, mode: .long)
        #expect(try guest.run() == [.requested])
        #expect(guest.port.values == [0x41, 0x41, 0x41])
    }

    @Test("A level-triggered input of the IOAPIC interrupts until its line falls")
    func levelTriggered() throws {
        let guest = try KVMGuest(
            LongMode.prologue + """
                lea line(%rip), %rax
                mov $0x50, %edi
                call set_gate
                movl $0x1FF, 0xF0(%r15)
                mov $0xFEC00000, %r14d
                movl $0x30, (%r14)
                movl $0x8050, 0x10(%r14)
                movl $0x31, (%r14)
                movl $0, 0x10(%r14)
                mov $1, %al
                out %al, $0xE0
                sti
                1: hlt
                jmp 1b
                line:
                mov $0x50, %al
                out %al, $0xE0
                movl $0, 0xB0(%r15)
                iretq
                """, mode: .long)
        let exits = try guest.run {
            guest.port.wait(count: 1)
            guest.machine.setInterrupt(16, level: true)
            guest.port.wait(count: 4)
            guest.machine.setInterrupt(16, level: false)
            guest.processors[0].requestExit()
        }
        #expect(exits == [.requested])
        #expect(guest.port.values.prefix(4) == [1, 0x50, 0x50, 0x50])
    }

    @Test("vCPU 0 starts the others at the page of its SIPI, and each has its own APIC ID")
    func applicationProcessors() throws {
        let guest = try KVMGuest(
            LongMode.startingOthers(
                """
                mov $1, %eax
                cpuid
                shr $24, %ebx
                mov %bl, %al
                out %al, $0xE0
                """,
                rest: """
                    1: cmpb $3, 0x500
                    jne 1b
                    out %al, $0xE4
                    2: jmp 2b
                    """), mode: .long, cpus: 4)
        #expect(try guest.run() == [.requested, .requested, .requested, .requested])
        #expect(guest.port.values.sorted() == [1, 2, 3])
    }

    @Test("All of 64 vCPUs start, each with its APIC ID in its local APIC and in CPUID")
    func sixtyFourProcessors() throws {
        let guest = try KVMGuest(
            LongMode.startingOthers(
                """
                mov $0xB, %eax
                xor %ecx, %ecx
                cpuid
                mov %edx, %edi
                mov $1, %eax
                cpuid
                shr $24, %ebx
                mov %bl, 0x600(%ebx)
                mov %edi, %eax
                mov %al, 0x640(%ebx)
                mov $0x1B, %ecx
                rdmsr
                or $0xC00, %eax
                wrmsr
                mov $0x802, %ecx
                rdmsr
                mov %al, 0x680(%ebx)
                """,
                rest: """
                    1: pause
                    cmpb $63, 0x500
                    jne 1b
                    out %al, $0xE4
                    2: hlt
                    jmp 2b
                    """), mode: .long, cpus: 64)
        #expect(try guest.run() == Array(repeating: .requested, count: 64))
        let others = (1..<64).map { UInt8($0) }
        for table in [0x600, 0x640, 0x680] as [UInt64] {
            #expect(try guest.memory.bytes(at: table + 1, count: 63) == others)
        }
    }
}
