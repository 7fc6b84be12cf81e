// Runs a list of cases: each one a code address, a whole register file and a privilege to start in, and a block that takes
// the whole state afterwards. The layout is CaseBlock's in CaseBlock.swift. A case ends with the ecall at its end address;
// every other exception is logged and the instruction skipped.

#define HEADER      0x80001000      // first block, stride in bytes, number of blocks
#define FINISHER    0x100000

#define IN_X        0x000
#define IN_F        0x100
#define IN_FCSR     0x200
#define IN_MSTATUS  0x208
#define END_PC      0x210
#define IN_SATP     0x218
#define TRAP_LIMIT  0x220
#define TRAP_COUNT  0x228
#define IN_MEDELEG  0x230
#define IN_HGATP    0x238           // not 0: satp and the supervisor's status are a guest's
#define OUT_FCSR    0x240
#define OUT_MSTATUS 0x248
#define FINISHED    0x250
#define SAVED_T0    0x260
#define SAVED_T1    0x268
#define SAVED_T2    0x270
#define SAVED_T3    0x278
#define OUT_X       0x300
#define OUT_F       0x400
#define TRAP_LOG    0x500           // cause, epc, tval, mstatus

// The G-stage's page tables, for harts with the hypervisor extension: the first four gigabytes where they are.
#define GUEST_ROOT  0x83e00000

#define MSTATUS_FS  0x6000
#define MSTATUS_MPRV 0x20000

.macro EACH_X operation, base, offset, from, to
    .set number, \from
    .rept \to - \from + 1
    ONE_X \operation, \base, \offset, %number
    .set number, number + 1
    .endr
.endm

.altmacro
.macro ONE_X operation, base, offset, number
    \operation x\number, \offset + 8 * \number(\base)
.endm
.macro ONE_F operation, base, offset, number
    \operation f\number, \offset + 8 * \number(\base)
.endm
.macro EACH_F operation, base, offset
    .set number, 0
    .rept 32
    ONE_F \operation, \base, \offset, %number
    .set number, number + 1
    .endr
.endm

.option norvc
.option norelax
// Without what harts may lack: the assembler would make constants with it.
.option arch, rv64imafdc_zicsr_zifencei
.section .text.start, "ax"
.globl _start
_start:
    csrr    t0, mhartid
    bnez    t0, park
    la      t0, ignore
    csrw    mtvec, t0
    // All of memory is open to every privilege.
    li      t0, -1
    csrw    pmpaddr0, t0
    li      t0, 0x1f
    csrw    pmpcfg0, t0
    // ADUE, PBMTE, CBZE, CBCFE, CBIE: a hart without menvcfg traps, and the write is skipped.
    li      t0, (3 << 61) | 0xf0
    csrw    0x30a, t0
    li      t0, 0xf0
    csrw    0x10a, t0
    li      t0, -1
    csrw    mcounteren, t0
    csrw    scounteren, t0
    csrw    mie, zero
    la      t0, trap
    csrw    mtvec, t0

    li      t0, GUEST_ROOT
    li      t1, 0xdf                // V, R, W, X, U, A, D
    li      t2, 1 << 28
    .rept 4
    sd      t1, 0(t0)
    addi    t0, t0, 8
    add     t1, t1, t2
    .endr

    li      s1, HEADER
    ld      s0, 0(s1)
    ld      s2, 16(s1)
    sd      s2, 24(s1)
next:
    li      s1, HEADER
    ld      s2, 24(s1)
    beqz    s2, finish
    addi    s2, s2, -1
    sd      s2, 24(s1)
    csrw    mscratch, s0
    li      t0, MSTATUS_FS
    csrs    mstatus, t0
    csrw    fcsr, zero
    EACH_F  fld, s0, IN_F
    ld      t0, IN_FCSR(s0)
    csrw    fcsr, t0
    ld      t0, IN_X(s0)
    csrw    mepc, t0
    ld      t0, IN_MEDELEG(s0)
    csrw    medeleg, t0
    csrw    mtval, zero
    csrw    mcause, zero
    csrw    sscratch, zero
    csrw    sepc, zero
    csrw    scause, zero
    csrw    stval, zero
    csrw    stvec, zero
    ld      t0, IN_SATP(s0)
    ld      t1, IN_HGATP(s0)
    bnez    t1, guest
    csrw    satp, t0
    sfence.vma
translated:
    fence.i
    // Any reservation of the case before is gone.
    addi    t1, s0, FINISHED
    sc.d    t0, zero, (t1)
    ld      t0, IN_MSTATUS(s0)
    csrw    mstatus, t0
    mv      sp, s0
    EACH_X  ld, sp, IN_X, 3, 31
    ld      x1, IN_X + 8(sp)
    ld      x2, IN_X + 16(sp)
    mret

guest:
    csrw    satp, zero
    csrw    0x680, t1               // hgatp
    csrw    0x280, t0               // vsatp
    ld      t0, IN_MSTATUS(s0)
    csrw    0x200, t0               // vsstatus
    csrw    0x205, zero             // vstvec, vsscratch, vsepc, vscause, vstval
    csrw    0x240, zero
    csrw    0x241, zero
    csrw    0x242, zero
    csrw    0x243, zero
    li      t0, -1
    csrw    0x606, t0               // hcounteren
    .word   0x62000073              // hfence.gvma
    .word   0x22000073              // hfence.vvma
    j       translated

finish:
    li      t0, FINISHER
    li      t1, 0x5555
    sw      t1, 0(t0)
park:
    wfi
    j       park

    .balign 4
ignore:
    csrr    t1, mepc
    addi    t1, t1, 4
    csrw    mepc, t1
    mret

    .balign 4
trap:
    csrrw   sp, mscratch, sp
    sd      t0, SAVED_T0(sp)
    sd      t1, SAVED_T1(sp)
    sd      t2, SAVED_T2(sp)
    sd      t3, SAVED_T3(sp)
    csrr    t0, mcause
    csrr    t1, mepc
    // An ecall at the end address ends the case.
    addi    t2, t0, -8
    sltiu   t2, t2, 4
    beqz    t2, log
    ld      t2, END_PC(sp)
    beq     t1, t2, ended
log:
    ld      t2, TRAP_COUNT(sp)
    ld      t3, TRAP_LIMIT(sp)
    bgeu    t2, t3, overrun
    addi    t3, t2, 1
    sd      t3, TRAP_COUNT(sp)
    slli    t2, t2, 5
    add     t2, t2, sp
    sd      t0, TRAP_LOG + 0(t2)
    sd      t1, TRAP_LOG + 8(t2)
    csrr    t3, mtval
    sd      t3, TRAP_LOG + 16(t2)
    csrr    t3, mstatus
    sd      t3, TRAP_LOG + 24(t2)
    // A fetch that failed has nowhere to go on.
    li      t3, 12
    beq     t0, t3, lost
    li      t3, 2
    bltu    t0, t3, lost
    // Otherwise skip the instruction; its length is in its two lowest bits. Code is mapped where it lies.
    lhu     t2, 0(t1)
    andi    t2, t2, 3
    addi    t2, t2, -3
    seqz    t2, t2
    slli    t2, t2, 1
    addi    t2, t2, 2
    add     t1, t1, t2
    csrw    mepc, t1
    ld      t0, SAVED_T0(sp)
    ld      t1, SAVED_T1(sp)
    ld      t2, SAVED_T2(sp)
    ld      t3, SAVED_T3(sp)
    csrrw   sp, mscratch, sp
    mret

ended:
    li      t2, 1
    j       save
overrun:
    li      t2, 2
    j       save
lost:
    li      t2, 3
save:
    sd      t2, FINISHED(sp)
    csrr    t0, mstatus
    sd      t0, OUT_MSTATUS(sp)
    ld      t0, SAVED_T0(sp)
    ld      t1, SAVED_T1(sp)
    ld      t2, SAVED_T2(sp)
    ld      t3, SAVED_T3(sp)
    sd      x1, OUT_X + 8(sp)
    EACH_X  sd, sp, OUT_X, 3, 31
    csrr    t0, mscratch
    sd      t0, OUT_X + 16(sp)
    mv      s0, sp
    li      t0, MSTATUS_FS
    csrs    mstatus, t0
    csrr    t0, fcsr
    sd      t0, OUT_FCSR(s0)
    EACH_F  fsd, s0, OUT_F
    li      s1, HEADER
    ld      t0, 8(s1)
    add     s0, s0, t0
    j       next
