# Starts a bare program by either protocol of the board: PVH in 32-bit mode, whose note is here, or from 64-bit mode.
    .include "long-mode.inc"

    .section .note.Xen, "a", @note
    .long 4, 4, 18
    .asciz "Xen"
    .long pvh_start

    .text
    .code32
    .globl pvh_start
pvh_start:
    mov %ebx, %ebp
    lgdt gdt_pointer
    enter_long_mode page_tables
    ljmp $0x8, $long_start
    .code64
long_start:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $stack_top, %esp
    mov %ebp, %edi
    call guest_main
    # Off: sleep state 5, entered.
    mov $0x601, %edx
    mov $0x34, %al
    out %al, %dx
1:  hlt
    jmp 1b

    # An interrupt gate leads here; `on_interrupt` is the program's.
    .globl enter_handler
enter_handler:
    push %rax
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    call on_interrupt
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rax
    iretq

    .data
    .balign 8
gdt: .quad 0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF
gdt_pointer:
    .word 23
    .long gdt

    .bss
    .balign 4096
page_tables: .skip 6 * 4096
    .skip 16384
stack_top:
