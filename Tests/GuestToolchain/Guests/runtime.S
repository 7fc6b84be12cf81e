// Start-up, traps and changes of privilege for the C programs of this directory. Every hart has a stack of its own and a
// `struct hart` (guest.h) in tp and, outside of handlers, in mscratch.

#define HART_SIZE       1024
#define HART_SP         0       // the M-mode stack pointer while another privilege runs
#define HART_REGS       8       // x1 to x31 of the interrupted code, at 8 * n
#define HART_TRAPS      264     // how many traps were taken
#define HART_CAUSE      272
#define HART_EPC        280
#define HART_TVAL       288
#define HART_STATUS     296
#define HART_ID         304
#define HART_LEVEL      312     // 3 when the trap was taken in M-mode, 1 in S-mode
#define HART_SAVED      320     // callee-saved registers of a caller of run_at

.option norelax
.section .text.start, "ax"
.globl _start
_start:
    csrr    t0, mhartid
    li      t1, 8
    bgeu    t0, t1, stop
    la      tp, harts
    li      t1, HART_SIZE
    mul     t1, t1, t0
    add     tp, tp, t1
    la      sp, stacks
    addi    t1, t0, 1
    slli    t1, t1, 14
    add     sp, sp, t1
    sd      t0, HART_ID(tp)
    csrw    mscratch, tp
    la      t1, machine_trap
    csrw    mtvec, t1
    li      t1, 0x6000
    csrs    mstatus, t1
    csrw    mie, zero
    bnez    t0, secondary
    call    main
    // Falling out of main is a pass.
    call    pass
secondary:
    call    secondary_main
stop:
    wfi
    j       stop

// A trap to M-mode: records it, and goes on behind the instruction, or, from an ecall with a7 = RETURN, returns from run_at.
.balign 4
.globl machine_trap
machine_trap:
    csrrw   tp, mscratch, tp
    sd      t0, HART_REGS + 8 * 5(tp)
    sd      t1, HART_REGS + 8 * 6(tp)
    sd      t2, HART_REGS + 8 * 7(tp)
    csrr    t0, mcause
    addi    t2, t0, -8
    li      t1, 4
    bgeu    t2, t1, 1f
    li      t2, 0x52455455
    beq     a7, t2, return_to_caller
1:  csrr    t0, mstatus
    sd      t0, HART_STATUS(tp)
    ld      t1, HART_TRAPS(tp)
    addi    t1, t1, 1
    sd      t1, HART_TRAPS(tp)
    csrr    t0, mcause
    sd      t0, HART_CAUSE(tp)
    csrr    t1, mepc
    sd      t1, HART_EPC(tp)
    csrr    t2, mtval
    sd      t2, HART_TVAL(tp)
    li      t2, 3
    sd      t2, HART_LEVEL(tp)
    bltz    t0, interrupted
    // A fetch that failed goes back to ra, as if the call had returned.
    li      t2, 12
    beq     t0, t2, fetch_failed
    li      t2, 20
    beq     t0, t2, fetch_failed
    li      t2, 1
    bleu    t0, t2, fetch_failed
    csrr    t1, mepc
    // Code is mapped where it lies. Its length is in its lowest bits.
    lbu     t2, 0(t1)
    andi    t2, t2, 3
    addi    t2, t2, -3
    seqz    t2, t2
    slli    t2, t2, 1
    addi    t2, t2, 2
    add     t1, t1, t2
resume:
    csrw    mepc, t1
    ld      t0, HART_REGS + 8 * 5(tp)
    ld      t1, HART_REGS + 8 * 6(tp)
    ld      t2, HART_REGS + 8 * 7(tp)
    csrrw   tp, mscratch, tp
    mret
fetch_failed:
    mv      t1, ra
    j       resume
interrupted:
    // Once: the source is masked, the program looks at what was recorded.
    slli    t0, t0, 1
    srli    t0, t0, 1
    li      t2, 1
    sll     t2, t2, t0
    csrc    mie, t2
    csrr    t1, mepc
    j       resume

// long run_at(long status, long (*function)(long, long), long a, long b): in the privilege of mstatus.MPP = status
.globl run_at
run_at:
    sd      ra, HART_SAVED + 0(tp)
    sd      s0, HART_SAVED + 8(tp)
    sd      s1, HART_SAVED + 16(tp)
    sd      s2, HART_SAVED + 24(tp)
    sd      s3, HART_SAVED + 32(tp)
    sd      s4, HART_SAVED + 40(tp)
    sd      s5, HART_SAVED + 48(tp)
    sd      s6, HART_SAVED + 56(tp)
    sd      s7, HART_SAVED + 64(tp)
    sd      s8, HART_SAVED + 72(tp)
    sd      s9, HART_SAVED + 80(tp)
    sd      s10, HART_SAVED + 88(tp)
    sd      s11, HART_SAVED + 96(tp)
    sd      gp, HART_SAVED + 104(tp)
    sd      sp, HART_SP(tp)
    li      t0, 0x1888              // MPP, MPIE, MIE
    csrc    mstatus, t0
    csrs    mstatus, a0
    csrw    mepc, a1
    mv      a0, a2
    mv      a1, a3
    la      ra, leave
    mret

// What code in another privilege returns to.
.balign 4
.globl leave
leave:
    li      a7, 0x52455455
    ecall
    j       leave

return_to_caller:
    csrw    mscratch, tp
    ld      ra, HART_SAVED + 0(tp)
    ld      s0, HART_SAVED + 8(tp)
    ld      s1, HART_SAVED + 16(tp)
    ld      s2, HART_SAVED + 24(tp)
    ld      s3, HART_SAVED + 32(tp)
    ld      s4, HART_SAVED + 40(tp)
    ld      s5, HART_SAVED + 48(tp)
    ld      s6, HART_SAVED + 56(tp)
    ld      s7, HART_SAVED + 64(tp)
    ld      s8, HART_SAVED + 72(tp)
    ld      s9, HART_SAVED + 80(tp)
    ld      s10, HART_SAVED + 88(tp)
    ld      s11, HART_SAVED + 96(tp)
    ld      gp, HART_SAVED + 104(tp)
    ld      sp, HART_SP(tp)
    li      t0, 0x20000             // MPRV
    csrc    mstatus, t0
    ret

// A trap to S-mode: records it as machine_trap does. It uses sscratch for the hart.
.balign 4
.globl supervisor_trap
supervisor_trap:
    csrrw   tp, sscratch, tp
    sd      t0, HART_REGS + 8 * 5(tp)
    sd      t1, HART_REGS + 8 * 6(tp)
    sd      t2, HART_REGS + 8 * 7(tp)
    ld      t1, HART_TRAPS(tp)
    addi    t1, t1, 1
    sd      t1, HART_TRAPS(tp)
    csrr    t0, sstatus
    sd      t0, HART_STATUS(tp)
    csrr    t0, scause
    sd      t0, HART_CAUSE(tp)
    csrr    t1, sepc
    sd      t1, HART_EPC(tp)
    csrr    t2, stval
    sd      t2, HART_TVAL(tp)
    li      t2, 1
    sd      t2, HART_LEVEL(tp)
    bltz    t0, 2f
    lbu     t2, 0(t1)
    andi    t2, t2, 3
    addi    t2, t2, -3
    seqz    t2, t2
    slli    t2, t2, 1
    addi    t2, t2, 2
    add     t1, t1, t2
    csrw    sepc, t1
    j       3f
2:  slli    t0, t0, 1
    srli    t0, t0, 1
    li      t2, 1
    sll     t2, t2, t0
    csrc    sie, t2
3:  ld      t0, HART_REGS + 8 * 5(tp)
    ld      t1, HART_REGS + 8 * 6(tp)
    ld      t2, HART_REGS + 8 * 7(tp)
    csrrw   tp, sscratch, tp
    sret

.section .bss
.balign 4096
.globl harts
harts:  .skip 8 * HART_SIZE
.balign 16
stacks: .skip 8 << 14
