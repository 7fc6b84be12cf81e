import GuestMemory
import KVMEngine
import Machine
import Testing

@Suite("KVM: processor modes", .enabled(if: Host.hasKVM, "this host has no KVM for us")) struct ModeTests {
    @Test("Real-mode code runs from its entry, with port accesses of every size and string instructions")
    func realMode() throws {
        let guest = try KVMGuest(
            """
            .code16
            mov $0x12, %al
            out %al, $0xE0
            mov $0x3456, %ax
            out %ax, $0xE0
            mov $0x789ABCDE, %eax
            out %eax, $0xE0
            in $0xE0, %ax
            mov %ax, (0x500)
            xor %ax, %ax
            mov %ax, %ds
            mov %ax, %es
            mov $text, %si
            mov $3, %cx
            mov $0xE0, %dx
            cld
            rep outsb
            mov $0x510, %di
            mov $2, %cx
            rep insw
            out %al, $0xE4
            1: jmp 1b
            text: .ascii "xyz"
            """)
        var next: UInt64 = 0xAB00
        guest.port.onRead = { _, _ in
            next += 1
            return next
        }
        #expect(try guest.run() == [.requested])
        #expect(
            guest.port.written == [
                .init(offset: 0, size: 1, value: 0x12), .init(offset: 0, size: 2, value: 0x3456),
                .init(offset: 0, size: 4, value: 0x789A_BCDE), .init(offset: 0, size: 1, value: 0x78),
                .init(offset: 0, size: 1, value: 0x79), .init(offset: 0, size: 1, value: 0x7A),
            ])
        #expect(try guest.memory.load(UInt16.self, at: 0x500) == 0xAB01)
        #expect(try guest.memory.load(UInt32.self, at: 0x510) == 0xAB03_AB02)
    }

    @Test("A guest switches itself from real mode to protected mode and to paged 64-bit mode")
    func modeSwitches() throws {
        let guest = try KVMGuest(
            """
            .code16
            cli
            xor %ax, %ax
            mov %ax, %ds
            lgdtl gdtr
            mov %cr0, %eax
            or $1, %al
            mov %eax, %cr0
            ljmpl $0x8, $protected
            .code32
            protected:
            mov $0x10, %eax
            mov %eax, %ds
            mov %eax, %ss
            mov $0x32, %al
            out %al, $0xE0
            mov $0x2000, %eax
            mov %eax, %cr3
            mov %cr4, %eax
            or $0x20, %eax
            mov %eax, %cr4
            mov $0xC0000080, %ecx
            rdmsr
            or $0x100, %eax
            wrmsr
            mov %cr0, %eax
            or $0x80000000, %eax
            mov %eax, %cr0
            ljmpl $0x18, $long
            .code64
            long:
            mov $0x123456789ABCDEF0, %rax
            mov %rax, 0x100000
            rol $8, %rax
            out %eax, $0xE0
            out %al, $0xE4
            1: jmp 1b
            .balign 8
            gdt: .quad 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF, 0x00AF9B000000FFFF
            gdtr: .word 31
            .long gdt
            """)
        #expect(try guest.run() == [.requested])
        #expect(guest.port.values == [0x32, 0xBCDE_F012])
        #expect(try guest.memory.load(UInt64.self, at: 0x10_0000) == 0x1234_5678_9ABC_DEF0)
    }

    @Test("Protected mode starts at its entry with flat segments and the given EBX")
    func protectedEntry() throws {
        let guest = try KVMGuest(
            """
            .code32
            mov %ebx, %eax
            out %eax, $0xE0
            mov %cr0, %eax
            out %eax, $0xE0
            pushf
            pop %eax
            out %eax, $0xE0
            push %cs
            pop %eax
            out %ax, $0xE0
            push %ds
            pop %eax
            out %ax, $0xE0
            out %al, $0xE4
            1: jmp 1b
            """, mode: .protected)
        #expect(try guest.run() == [.requested])
        #expect(guest.port.values == [0x1234_5678, 0x11, 2, 0x10, 0x18])
    }

    @Test("User code runs in ring 3, its faults arrive in ring 0, and it continues after them")
    func userCode() throws {
        let guest = try KVMGuest(
            LongMode.prologue + """
                lea invalid(%rip), %rax
                mov $6, %edi
                call set_gate
                lea general_protection(%rip), %rax
                mov $13, %edi
                call set_gate
                mov $task_state, %rax
                mov $gdt+32, %rdi
                mov %ax, 2(%rdi)
                shr $16, %rax
                mov %al, 4(%rdi)
                lgdt gdtr
                mov $0x20, %ax
                ltr %ax
                pushq $0x3B
                pushq $0x6F00
                pushq $2
                pushq $0x33
                pushq $user
                iretq
                user:
                mov $1000000, %ecx
                xor %rax, %rax
                1: add %rcx, %rax
                dec %rcx
                jnz 1b
                ud2
                hlt
                invalid:
                out %eax, $0xE0
                mov 8(%rsp), %rax
                out %ax, $0xE0
                addq $2, (%rsp)
                iretq
                general_protection:
                mov $0x6D, %al
                out %al, $0xE0
                out %al, $0xE4
                1: jmp 1b
                .balign 8
                gdt: .quad 0, 0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF
                .quad 0x0000890000000067, 0
                .quad 0x00AFFB000000FFFF, 0x00CFF3000000FFFF
                gdtr: .word 63
                .quad gdt
                task_state: .long 0
                .quad 0x6800
                .fill 92, 1, 0
                """, mode: .long)
        let exits = try guest.run()
        #expect(exits == [.requested])
        // The sum of 1 to 1000000 is 0x746A5A2920.
        #expect(guest.port.values == [0x6A5A_2920, 0x33, 0x6D])
    }
}
