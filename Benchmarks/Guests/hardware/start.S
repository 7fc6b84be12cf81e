# Starts a bare x86-64 program in 32-bit protected mode at the first byte of the image: by PVH, whose note is here, or by a
# monitor that just jumps there. Memory is mapped at its own addresses, ring 3 may use all of it.
    .include "long-mode.inc"

    .section .note.Xen, "a", @note
    .long 4, 4, 18
    .asciz "Xen"
    .long start

    .section .text.start, "ax"
    .code32
    .globl start
start:
#ifdef FIRST
    # What the first instructions of a guest can say.
    mov $0x3F8, %edx
    mov $'@', %al
    out %al, %dx
    mov $10, %al
    out %al, %dx
    cli
1:  hlt
    jmp 1b
#endif
    lgdt gdt_pointer
    # SSE is for user code.
    enter_long_mode page_tables, access=7, cr4=0x600, cr0=2
    ljmp $0x8, $long_start
    .code64
long_start:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $stack_top, %esp
#ifdef USER
    # `user_work` runs in ring 3 and ends with an invalid instruction, whose handler has the result.
    mov $user_done, %eax
    mov %ax, gate_invalid
    shr $16, %eax
    mov %ax, gate_invalid + 6
    lidt idt_pointer
    mov $task_state, %eax
    mov %ax, gdt_task + 2
    shr $16, %eax
    mov %al, gdt_task + 4
    mov $0x30, %eax
    ltr %ax
    pushq $0x23
    pushq $user_stack_top
    pushq $2
    pushq $0x2B
    pushq $user_start
    iretq
user_start:
    call user_work
    ud2
user_done:
    mov %rax, %rdi
    call print_result
    jmp off
#endif
#ifndef USER
    call guest_main
#endif
off:
    # Off: sleep state 5, entered.
    mov $0x601, %edx
    mov $0x34, %al
    out %al, %dx
1:  jmp 1b

    .data
    .balign 8
    # Code and data of ring 0, nothing, data and code of ring 3, a task state.
gdt: .quad 0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF, 0, 0x00CFF3000000FFFF, 0x00AFFB000000FFFF
gdt_task: .quad 0x0000890000000067, 0
gdt_pointer:
    .word 63
    .long gdt
#ifdef USER
    .balign 8
idt: .skip 6 * 16
    # Invalid instruction: an interrupt gate of ring 0.
gate_invalid: .word 0, 8, 0x8E00, 0, 0, 0, 0, 0
idt_pointer:
    .word 7 * 16 - 1
    .quad idt
    .balign 8
task_state: .long 0
    .quad stack_top
    .skip 92
#endif

    .bss
    .balign 4096
page_tables: .skip 6 * 4096
    .skip 65536
    .balign 16
stack_top:
#ifdef USER
    .skip 65536
user_stack_top:
#endif
