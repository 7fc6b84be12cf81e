// A guest's entry, its second hart's entry, and a trap handler: counts traps, skips the instruction of an exception, and turns
// the interrupt's enable off, so that main sees it.
    .section .text.start, "ax"
    .globl _start
_start:
    la sp, stacks + 4096
    la t0, device_tree
    sd a1, 0(t0)
    la t0, handler
    csrw stvec, t0
    call main
    ebreak
    .globl start_second
start_second:
    la sp, stacks + 8192
    la t0, handler
    csrw stvec, t0
    call second
1:  j 1b

    .balign 4
handler:
    csrw sscratch, t0
    addi sp, sp, -32
    sd t1, 0(sp)
    sd t2, 8(sp)
    la t1, traps
    li t0, 1
    amoadd.d zero, t0, (t1)
    csrr t0, scause
    sd t0, 8(t1)
    csrr t2, stval
    sd t2, 16(t1)
    bltz t0, 1f
    // After a jump to nowhere, back to the caller.
    li t2, 1
    beq t0, t2, 2f
    csrr t2, sepc
    lhu t1, 0(t2)
    andi t1, t1, 3
    addi t1, t1, -3
    addi t2, t2, 2
    bnez t1, 3f
    addi t2, t2, 2
3:  csrw sepc, t2
    j 4f
2:  csrw sepc, ra
    j 4f
1:  andi t0, t0, 15
    li t2, 1
    sll t2, t2, t0
    csrc sie, t2
4:  ld t1, 0(sp)
    ld t2, 8(sp)
    addi sp, sp, 32
    csrr t0, sscratch
    sret
    .data
    .balign 16
    .globl traps
traps: .quad 0
    .globl last_cause
last_cause: .quad 0
    .globl last_value
last_value: .quad 0
    .globl device_tree
device_tree: .quad 0
    .bss
    .balign 16
stacks: .zero 8192
