# Starts a bare program by either protocol of the board: PVH in 32-bit mode, whose note is here, or from 64-bit mode.
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
    mov $page_map, %eax
    movl $page_directories + 3, (%eax)
    mov $page_directories, %eax
    mov $page_directory + 3, %edx
    mov $4, %ecx
1:  mov %edx, (%eax)
    add $8, %eax
    add $0x1000, %edx
    loop 1b
    # 4 GiB in pages of 2 MiB.
    mov $page_directory, %eax
    mov $0x83, %edx
    mov $2048, %ecx
2:  mov %edx, (%eax)
    add $8, %eax
    add $0x200000, %edx
    loop 2b
    mov $page_map, %eax
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
page_map: .skip 4096
page_directories: .skip 4096
page_directory: .skip 4 * 4096
    .skip 16384
stack_top:
