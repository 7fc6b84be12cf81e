// The start of a program in flash, in S-mode: its stack and its `struct hart` (guest.h) are in memory that nobody loaded.
.option norelax
.section .text.start, "ax"
.globl _start
_start:
    li      sp, 0x80400000
    mv      tp, sp
    la      t0, supervisor_trap_in_flash
    csrw    stvec, t0
    call    main
    call    pass

// Goes on behind a load or store that failed, which has four bytes here.
.balign 4
supervisor_trap_in_flash:
    sd      t0, 8 * 6(tp)
    csrr    t0, scause
    sd      t0, 272(tp)
    csrr    t0, sepc
    sd      t0, 280(tp)
    addi    t0, t0, 4
    csrw    sepc, t0
    csrr    t0, stval
    sd      t0, 288(tp)
    ld      t0, 8 * 6(tp)
    sret
