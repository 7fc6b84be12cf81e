/// What guests in 64-bit mode begin with: an interrupt table at 0x6000, and `set_gate`, which makes RAX the handler of
/// vector EDI; `lapic`, the local APIC's page, in R15.
enum LongMode {
    static let prologue = """
        .code64
        mov $0x6000, %eax
        mov %eax, idtr+2(%rip)
        lidt idtr(%rip)
        mov $0xFEE00000, %r15d
        jmp begin
        set_gate:
        shl $4, %edi
        add $0x6000, %edi
        mov %ax, (%rdi)
        movw $0x10, 2(%rdi)
        movw $0x8E00, 4(%rdi)
        shr $16, %rax
        mov %ax, 6(%rdi)
        movq $0, 8(%rdi)
        ret
        idtr: .word 0xFFF
        .quad 0
        begin:

        """

    /// Has every other processor execute 16-bit `code` and count itself in the byte at 0x500, and goes on with `rest`.
    static func startingOthers(_ code: String, rest: String) -> String {
        prologue + """
            // A copy in the page that the start-up message names, after INIT.
            mov $trampoline, %rsi
            mov $0x9000, %edi
            mov $(trampoline_end - trampoline), %ecx
            rep movsb
            movl $0x1FF, 0xF0(%r15)
            movl $0xC4500, 0x300(%r15)
            movl $0xC4609, 0x300(%r15)
            \(rest)
            .code16
            trampoline:
            xor %ax, %ax
            mov %ax, %ds
            \(code)
            lock incb (0x500)
            3: hlt
            jmp 3b
            trampoline_end:
            """
    }
}
