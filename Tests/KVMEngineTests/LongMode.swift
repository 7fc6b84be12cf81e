/// Code at the start of 64-bit guests: an IDT at 0x6000; `set_gate`, which makes RAX the handler of vector EDI; the local
/// APIC's address in R15.
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

    /// vCPU 0 starts every other vCPU with INIT and SIPI, then executes `rest`. The others execute 16-bit `code` and increment
    /// the byte at 0x500.
    static func startingOthers(_ code: String, rest: String) -> String {
        prologue + """
            // The SIPI's vector is 9: the trampoline is copied to 0x9000.
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
