// Exceptions with their exact registers, delegation, returns, and what each privilege may execute
// (Privileged Architecture 3.1 to 3.3, 10.1).
#include "guest.h"

static long nothing(long a, long b) { return a + b; }
static long do_ecall(long a, long b) { (void)b; asm volatile("li a7, 0\necall" : : : "memory", "a7"); return a; }
static long do_ebreak(long a, long b) { (void)b; asm volatile(".option push\n.option norvc\nebreak\n.option pop"); return a; }
static long do_mret(long a, long b) { (void)b; asm volatile("mret" : : : "memory"); return a; }
static long do_wfi(long a, long b) { (void)b; asm volatile("wfi" : : : "memory"); return a; }
static long do_sfence(long a, long b) { (void)b; asm volatile("sfence.vma" : : : "memory"); return a; }
static long do_sinval(long a, long b) { (void)b; asm volatile("sinval.vma x0, x0" : : : "memory"); return a; }
static long do_winval(long a, long b) { (void)b; asm volatile("sfence.w.inval" : : : "memory"); return a; }
static long read_satp(long a, long b) { (void)b; u64 v; asm volatile("csrr %0, satp" : "=r"(v)); return a; }
static long read_mstatus(long a, long b) { (void)b; u64 v; asm volatile("csrr %0, mstatus" : "=r"(v)); return a; }
static long read_sstatus(long a, long b) { (void)a; (void)b; return read_csr(sstatus); }
static long read_cycle(long a, long b) { (void)b; u64 v; asm volatile("csrr %0, cycle" : "=r"(v)); return a; }
static long read_fcsr(long a, long b) { (void)b; u64 v; asm volatile("csrr %0, fcsr" : "=r"(v)); return a; }

// How many traps the function takes in a privilege.
static u64 count_traps(u64 status, long (*function)(long, long)) {
    u64 before = me()->traps;
    run_at(status, function, 0, 0);
    return me()->traps - before;
}

// Runs with delegation: the trap must arrive in S-mode, with the registers of S-mode.
static long delegated(long a, long b) {
    write_csr(stvec, supervisor_trap);
    write_csr(sscratch, me());
    (void)a;
    (void)b;
    u64 here;
    asm volatile("la %0, 1f\n1: .word 0xffffffff" : "=r"(here) : : "memory");
    return me()->epc == here && me()->tval == 0xffffffff && me()->cause == ILLEGAL && me()->level == 1
        && (me()->status & SPP);
}
static long delegated_break(long a, long b) {
    (void)a;
    (void)b;
    me()->level = 0;
    asm volatile("ebreak" : : : "memory");
    return me()->level << 8 | me()->cause;
}
static long call_from_supervisor(long a, long b) {
    (void)a;
    (void)b;
    me()->level = 0;
    asm volatile("li a7, 0\necall" : : : "memory", "a7");
    return me()->level << 8 | me()->cause;
}

int main(void) {
    open_memory();
    u64 here;

    // In M-mode.
    asm volatile("la %0, 1f\n1: .word 0xffffffff" : "=r"(here) : : "memory");
    EXPECT_TRAP(ILLEGAL, here, 0xffffffff);
    EXPECT(me()->status & MPP, MACHINE);
    asm volatile("la %0, 1f\n1: .half 0" : "=r"(here) : : "memory");
    EXPECT_TRAP(ILLEGAL, here, 0);
    asm volatile("la %0, 1f\nli a7, 0\n1: ecall" : "=r"(here) : : "memory", "a7");
    EXPECT_TRAP(CALL_MACHINE, here, 0);
    EXPECT(load_64(HOLE), 0xbad);
    EXPECT(caught(), LOAD_ACCESS);
    EXPECT(me()->tval, HOLE);
    EXPECT(store_64(HOLE + 8, 1), STORE_ACCESS);
    EXPECT(me()->tval, HOLE + 8);
    EXPECT(jump_to(HOLE + 2), FETCH_ACCESS);
    EXPECT(me()->epc, HOLE + 2);
    EXPECT(me()->tval, HOLE + 2);

    // A trap stacks MIE and the privilege; mret takes them back and leaves MPP at the least privilege.
    write_csr(mstatus, FS | MIE);
    asm volatile(".word 0xffffffff" : : : "memory");
    EXPECT(me()->status & (MIE | MPIE | MPP), MPIE | MACHINE);
    EXPECT(read_csr(mstatus) & (MIE | MPIE | MPP), MIE | MPIE);
    write_csr(mstatus, FS);
    asm volatile(".word 0xffffffff" : : : "memory");
    EXPECT(me()->status & (MIE | MPIE | MPP), MACHINE);
    EXPECT(read_csr(mstatus) & (MIE | MPIE | MPP), MPIE);

    // Each privilege: its own call, its own prohibitions. Only what traps counts, not the return's ecall.
    EXPECT(run_at(USER, nothing, 3, 4), 7);
    EXPECT(run_at(SUPERVISOR, nothing, 3, 4), 7);
    EXPECT(run_at(MACHINE, nothing, 3, 4), 7);
#define TRAPS(status, function) count_traps(status, function)
    EXPECT(TRAPS(USER, do_ecall), 1);
    EXPECT(TRAPS(USER, do_ebreak), 1);
    EXPECT(TRAPS(USER, do_mret), 1);
    EXPECT(TRAPS(USER, do_wfi), 1);
    EXPECT(TRAPS(USER, do_sfence), 1);
    EXPECT(TRAPS(USER, do_sinval), 1);
    if (is_qemu()) SKIP("sfence.w.inval in U-mode");
    else EXPECT(TRAPS(USER, do_winval), 1);
    EXPECT(TRAPS(USER, read_satp), 1);
    EXPECT(TRAPS(USER, read_mstatus), 1);
    EXPECT(TRAPS(SUPERVISOR, do_mret), 1);
    EXPECT(TRAPS(SUPERVISOR, do_sfence), 0);
    EXPECT(TRAPS(SUPERVISOR, do_sinval), 0);
    EXPECT(TRAPS(SUPERVISOR, do_winval), 0);
    EXPECT(TRAPS(SUPERVISOR, read_satp), 0);
    EXPECT(TRAPS(SUPERVISOR, read_mstatus), 1);
    // TVM closes satp and the fences to S-mode, TW closes wfi.
    EXPECT(TRAPS(SUPERVISOR | TVM, read_satp), 1);
    EXPECT(TRAPS(SUPERVISOR | TVM, do_sfence), 1);
    EXPECT(TRAPS(SUPERVISOR | TVM, do_sinval), 1);
    EXPECT(TRAPS(SUPERVISOR | TVM, do_winval), 0);
    clear_csr(mstatus, TVM);
    EXPECT(TRAPS(SUPERVISOR | TW, do_wfi), 1);
    clear_csr(mstatus, TW);

    // Counters as mcounteren and scounteren open them.
    write_csr(mcounteren, 0);
    write_csr(scounteren, 0);
    EXPECT(TRAPS(SUPERVISOR, read_cycle), 1);
    EXPECT(TRAPS(MACHINE, read_cycle), 0);
    write_csr(mcounteren, 1);
    EXPECT(TRAPS(SUPERVISOR, read_cycle), 0);
    EXPECT(TRAPS(USER, read_cycle), 1);
    write_csr(scounteren, 1);
    EXPECT(TRAPS(USER, read_cycle), 0);
    write_csr(mcounteren, 0);
    EXPECT(TRAPS(USER, read_cycle), 1);
    // Floating point off.
    clear_csr(mstatus, FS);
    EXPECT(TRAPS(USER, read_fcsr), 1);
    EXPECT(TRAPS(MACHINE, read_fcsr), 1);
    set_csr(mstatus, FS);
    EXPECT(TRAPS(USER, read_fcsr), 0);
    EXPECT(run_at(SUPERVISOR, read_sstatus, 0, 0) & FS, FS);

    // Delegation: from S-mode and below only, by cause.
    write_csr(medeleg, 1ul << ILLEGAL | 1ul << BREAKPOINT);
    EXPECT(run_at(SUPERVISOR, delegated, 0, 0), 1);
    EXPECT(run_at(USER, delegated_break, 0, 0), 1 << 8 | BREAKPOINT);
    EXPECT(me()->status & SPP, 0);
    EXPECT(run_at(SUPERVISOR, call_from_supervisor, 0, 0), 3 << 8 | CALL_SUPERVISOR);
    asm volatile("la %0, 1f\n1: .word 0xffffffff" : "=r"(here) : : "memory");
    EXPECT(me()->level, 3);
    EXPECT_TRAP(ILLEGAL, here, 0xffffffff);
    write_csr(medeleg, 0);

    // sret belongs to S-mode unless TSR, which M-mode does not feel.
    set_csr(mstatus, SPP | TSR | SPIE);
    clear_csr(mstatus, SIE);
    clear_csr(mstatus, SPP);
    asm volatile("la %0, 1f\ncsrw sepc, %0\ncsrw mepc, %0\nsret\n1:" : "=r"(here) : : "memory");
    // Now in U-mode, since SPP was 0; leave by a call to M-mode that nothing answers but the handler.
    me()->cause = NONE;
    asm volatile("csrr t0, mstatus" : : : "t0", "memory");
    EXPECT(caught(), ILLEGAL);
    EXPECT(me()->status & MPP, USER);
    return 0;
}
