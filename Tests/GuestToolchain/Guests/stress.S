# Runs random cases in U- or S-mode under two address spaces, with a timer that interrupts at random points. It is included by
# the text of StressProgram.swift, which defines USER_BIT (0x10 or 0), STATUS_MPP, HARDWARE_DIRTY, TIMER_MASK, CASES and
# case_table. It is assembled without a preprocessor.
#
# Virtual addresses: code from 0x40000000, the same pages writable from 0x50000000, eight pages of data from 0x60000000. In
# the second space the even pages of data are others.
#
# Calls, by a7: 1 gives the page of a0 the flags a1 and fences as a2 says; 2 changes the space; 3 ends the case.

.equ RESULTS, 0x80400000            # 1 KiB for each case: x1 to x31, f0 to f31, fcsr
.equ LOG, 0x80420000                # 32 bytes for each exception: cause, epc, tval, case
.equ LOG_END, LOG + 32 * 4000
.equ DATA, 0x80440000               # sixteen pages
.equ TABLES, 0x80500000             # 64 KiB for each space: root, middle, code, writable code, data
.equ SAVE, 0x80450000               # the handler's own, different in every run
.equ LOG_AT, 0x40
.equ CASE, 0x48
.equ RANDOM, 0x50
.equ COUNT, 0x58
.equ INTERRUPTS, 0x60
.equ CODE_FLAGS, 0xcb | USER_BIT    # V, R, X, A, D
.equ DATA_FLAGS, 0xc7 | USER_BIT    # V, R, W, A, D

.option norelax
.section .text.start, "ax"
.globl _start
_start:
    csrr    t0, mhartid
    bnez    t0, park
    la      t0, trap
    csrw    mtvec, t0
    li      t0, -1
    csrw    pmpaddr0, t0
    csrw    mcounteren, t0
    csrw    scounteren, t0
    li      t0, 0x1f
    csrw    pmpcfg0, t0
    .if HARDWARE_DIRTY
    li      t0, 1 << 61
    csrw    0x30a, t0
    .endif
    li      s0, SAVE
    csrw    mscratch, s0
    li      t0, LOG
    sd      t0, LOG_AT(s0)
    li      t0, 0x2545f4914f6cdd1d
    sd      t0, RANDOM(s0)
    li      a0, TABLES
    li      a1, 0
    jal     tables
    li      a0, TABLES + 0x10000
    li      a1, 8
    jal     tables
    li      t0, 8 << 60 | 1 << 44 | TABLES >> 12
    csrw    satp, t0
    sfence.vma
    li      t0, 0x2004000           # the first interrupt comes soon
    li      t1, 0x200bff8
    ld      t1, 0(t1)
    addi    t1, t1, 500
    sd      t1, 0(t0)
    li      t0, 0x80
    csrw    mie, t0

next_case:
    li      s0, SAVE
    ld      t0, CASE(s0)
    li      t1, CASES
    bgeu    t0, t1, finish
    la      t1, case_table
    slli    t0, t0, 2
    add     t1, t1, t0
    lwu     t1, 0(t1)
    li      t0, 0x40000000
    add     t1, t1, t0
    csrw    mepc, t1
    li      t0, 0x1800
    csrc    mstatus, t0
    li      t0, STATUS_MPP | 0x6000
    csrs    mstatus, t0
    mret

finish:
    li      t1, 0x5555
    j       1f
overrun:
    li      t1, 0x13333
1:  li      t0, 0x100000
    sw      t1, 0(t0)
park:
    wfi
    j       park

# The tables of a space at a0, whose even pages of data lie a1 pages further on.
tables:
    li      t0, 0x1000
    add     t1, a0, t0              # middle
    srli    t2, t1, 2
    ori     t2, t2, 1
    sd      t2, 8(a0)
    li      t3, 3
    li      t4, 0
1:  add     t5, t1, t0              # leaves, at each 256 MiB
    slli    t2, t4, 12
    add     t5, t5, t2
    srli    t2, t5, 2
    ori     t2, t2, 1
    slli    t6, t4, 10
    add     t6, t6, t1
    sd      t2, 0(t6)
    addi    t4, t4, 1
    blt     t4, t3, 1b
    la      t2, code_start
    srli    t2, t2, 2
    add     t5, t1, t0              # code, and code to be written
    li      t4, 128
1:  ori     t6, t2, CODE_FLAGS
    sd      t6, 0(t5)
    add     t3, t5, t0
    ori     t6, t2, DATA_FLAGS
    sd      t6, 0(t3)
    addi    t2, t2, 0x400
    addi    t5, t5, 8
    addi    t4, t4, -1
    bnez    t4, 1b
    li      t2, 0x3000
    add     t5, t1, t2              # data
    li      t4, 0
1:  li      t2, DATA >> 2
    slli    t3, t4, 10
    add     t2, t2, t3
    andi    t3, t4, 1
    bnez    t3, 2f
    slli    t3, a1, 10
    add     t2, t2, t3
2:  ori     t2, t2, DATA_FLAGS
    sd      t2, 0(t5)
    addi    t5, t5, 8
    addi    t4, t4, 1
    li      t3, 8
    blt     t4, t3, 1b
    ret

    .balign 4
trap:
    csrrw   sp, mscratch, sp
    sd      t0, 0(sp)
    sd      t1, 8(sp)
    sd      t2, 16(sp)
    sd      t3, 24(sp)
    csrr    t0, mcause
    bltz    t0, timer
    addi    t1, t0, -8
    sltiu   t1, t1, 2
    bnez    t1, called
    ld      t1, LOG_AT(sp)
    li      t2, LOG_END             # the last ones are kept
    bltu    t1, t2, 1f
    li      t1, LOG
1:  sd      t0, 0(t1)
    csrr    t2, mepc
    sd      t2, 8(t1)
    csrr    t2, mtval
    addi    t3, t0, -3              # an EBREAK's may be its address or 0
    bnez    t3, 1f
    li      t2, 0
1:  sd      t2, 16(t1)
    ld      t3, CASE(sp)
    sd      t3, 24(t1)
    addi    t1, t1, 32
    sd      t1, LOG_AT(sp)
    ld      t1, COUNT(sp)
    addi    t1, t1, 1
    sd      t1, COUNT(sp)
    li      t3, 500000              # no case has so many, unless it does not get on
    bgeu    t1, t3, overrun
    li      t1, 12
    bltu    t0, t1, skip
    # A page fault: what is ours becomes whole again, and the instruction runs anew.
    srli    t1, t2, 28
    addi    t1, t1, -4
    li      t3, 3
    bgeu    t1, t3, elsewhere
    li      t3, DATA_FLAGS
    bnez    t1, 1f
    li      t3, CODE_FLAGS
1:  mv      t1, t2
    sd      t4, 32(sp)
    sd      t5, 40(sp)
    jal     t5, set_flags
    ld      t4, 32(sp)
    ld      t5, 40(sp)
    csrr    t2, mtval
    sfence.vma t2, x0
    j       resume
elsewhere:
    li      t1, 12
    beq     t0, t1, end_case
skip:
    # Behind the instruction; its length is in its lowest bits.
    csrr    t1, mepc
    la      t2, code_start
    add     t2, t2, t1
    li      t3, 0x40000000
    sub     t2, t2, t3
    lhu     t2, 0(t2)
    andi    t2, t2, 3
    addi    t2, t2, -3
    seqz    t2, t2
    slli    t2, t2, 1
    addi    t2, t2, 2
    add     t1, t1, t2
    csrw    mepc, t1
resume:
    ld      t0, 0(sp)
    ld      t1, 8(sp)
    ld      t2, 16(sp)
    ld      t3, 24(sp)
    csrrw   sp, mscratch, sp
    mret

# Gives the page of t1 in the current space the flags t3; returns to t5 and uses t2 and t4.
set_flags:
    csrr    t2, satp
    slli    t2, t2, 20
    srli    t2, t2, 20
    slli    t2, t2, 12
    li      t4, 0x2000
    add     t2, t2, t4
    srli    t4, t1, 28
    addi    t4, t4, -4
    slli    t4, t4, 12
    add     t2, t2, t4
    slli    t4, t1, 43
    srli    t4, t4, 55
    slli    t4, t4, 3
    add     t2, t2, t4
    ld      t4, 0(t2)
    srli    t4, t4, 10
    slli    t4, t4, 10
    or      t4, t4, t3
    sd      t4, 0(t2)
    jr      t5

called:
    csrr    t0, mepc
    addi    t0, t0, 4
    csrw    mepc, t0
    li      t1, 1
    beq     a7, t1, change_page
    li      t1, 2
    beq     a7, t1, change_space
    li      t1, 3
    beq     a7, t1, end_case
    j       resume

change_page:
    mv      t1, a0
    xori    t3, a1, USER_BIT
    sd      t4, 32(sp)
    sd      t5, 40(sp)
    jal     t5, set_flags
    ld      t4, 32(sp)
    ld      t5, 40(sp)
    csrr    t1, satp
    slli    t1, t1, 4
    srli    t1, t1, 48
    li      t0, 1
    bltu    t0, a2, 1f
    beq     t0, a2, 2f
    sfence.vma
    j       resume
2:  sfence.vma a0, x0
    j       resume
1:  li      t0, 3
    bltu    t0, a2, resume          # whoever called fences
    beq     t0, a2, 2f
    sfence.vma x0, t1
    j       resume
2:  sfence.vma a0, t1
    j       resume

change_space:
    csrr    t0, satp
    li      t1, 3 << 44 | 0x10
    xor     t0, t0, t1
    csrw    satp, t0
    j       resume

end_case:
    ld      t0, CASE(sp)
    addi    t1, t0, 1
    sd      t1, CASE(sp)
    slli    t0, t0, 10
    li      t1, RESULTS
    add     t0, t0, t1
    sd      x1, 8(t0)
    csrr    x1, mscratch
    sd      x1, 16(t0)
    .irp number, 3,4,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,29,30,31
    sd      x\number, 8 * \number(t0)
    .endr
    ld      x1, 0(sp)
    sd      x1, 40(t0)
    ld      x1, 8(sp)
    sd      x1, 48(t0)
    ld      x1, 16(sp)
    sd      x1, 56(t0)
    ld      x1, 24(sp)
    sd      x1, 224(t0)
    .irp number, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fsd     f\number, 256 + 8 * \number(t0)
    .endr
    csrr    x1, fcsr
    sd      x1, 512(t0)
    csrw    mscratch, sp
    j       next_case

# Nothing of this may show: it happens at another point in each run.
timer:
    ld      t0, INTERRUPTS(sp)
    addi    t0, t0, 1
    sd      t0, INTERRUPTS(sp)
    ld      t0, RANDOM(sp)
    slli    t1, t0, 13
    xor     t0, t0, t1
    srli    t1, t0, 7
    xor     t0, t0, t1
    slli    t1, t0, 17
    xor     t0, t0, t1
    sd      t0, RANDOM(sp)
    andi    t1, t0, 15
    bnez    t1, 1f
    sfence.vma
1:  srli    t1, t0, 4
    andi    t1, t1, 15
    bnez    t1, 1f
    fence.i
1:  li      t1, TIMER_MASK
    srli    t0, t0, 8
    and     t0, t0, t1
    addi    t0, t0, 100
    li      t1, 0x200bff8
    ld      t1, 0(t1)
    add     t1, t1, t0
    li      t0, 0x2004000
    sd      t1, 0(t0)
    j       resume

.section .text.cases, "ax"
.balign 4096
code_start:
