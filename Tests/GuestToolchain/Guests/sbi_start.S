// A flat RISC-V kernel image of its own: the header that loaders look for, and the start of each hart in S-mode.
#define STACK_SHIFT 13

.option norelax
.section .text.start, "ax"
.globl _start
_start:
    j       begin                   // code0
    .balign 8
    .quad   0x200000                // text_offset
    .quad   _end - _start           // image_size
    .quad   0                       // flags: little endian
    .word   2                       // version 0.2
    .word   0
    .quad   0
    .ascii  "RISCV\0\0\0"           // the older magic
    .ascii  "RSC\x05"
    .word   0
begin:
    mv      s0, a0
    call    set_stack
    mv      a0, s0
    call    first_main
    j       .

// Harts that were started by SBI: a0 is the hart, a1 what the call was given.
.globl secondary_start
.balign 4
secondary_start:
    mv      s0, a0
    mv      s1, a1
    call    set_stack
    mv      a0, s0
    mv      a1, s1
    call    secondary_main
    j       .

set_stack:
    la      sp, stacks
    addi    t0, s0, 1
    slli    t0, t0, STACK_SHIFT
    add     sp, sp, t0
    li      t0, 0x6000
    csrs    sstatus, t0
    ret

.section .bss
.balign 4096
stacks: .skip 64 << STACK_SHIFT
