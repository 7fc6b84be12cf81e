// The guest's side: from reset in M-mode to the kernel in S-mode under Sv39, with the floating-point unit on.
.option norelax
.section .text.start, "ax"
.globl _start
_start:
    csrr    t0, mhartid
    bnez    t0, wait                // one hart computes
    la      sp, stack_top
    la      t0, machine_trap
    csrw    mtvec, t0
    li      t0, -1                  // all memory open to S-mode
    csrw    pmpaddr0, t0
    li      t0, 0x1f                // NAPOT, RWX
    csrw    pmpcfg0, t0
    li      t0, 0x6000              // mstatus.FS: dirty
    csrs    mstatus, t0
    call    page_tables             // returns satp
    csrw    satp, a0
    sfence.vma
    li      t0, 0x1800              // mstatus.MPP = S
    csrc    mstatus, t0
    li      t0, 0x0800
    csrs    mstatus, t0
    la      t0, supervisor
    csrw    mepc, t0
    mret

supervisor:
    call    guest_main              // does not return
wait:
    wfi
    j       wait

// No trap belongs here: say so by the exit code.
.balign 4
machine_trap:
    li      t0, 0x100000
    csrr    t1, mcause
    andi    t1, t1, 63
    addi    t1, t1, 100
    slli    t1, t1, 16
    li      t2, 0x3333
    or      t1, t1, t2
    sw      t1, 0(t0)
    j       wait
