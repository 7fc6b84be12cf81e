// The APLIC with direct delivery (Advanced Interrupt Architecture 1.0, sections 4.5, 4.7 and 4.8): its registers, priorities and thresholds, and
// what harts see of it at machine and at supervisor level.
#include "aplic.h"

enum { MEI = 11, SEI = 9 };

static int is_pending(int number) { return read_csr(mip) >> number & 1; }
static void wait_until(int number, int level) { while (is_pending(number) != level) {} }

// The serial port's interrupt: it can send, and says so.
static void wire(int is_high) { *(volatile u8 *)(UART + 1) = is_high ? 2 : 0; }

static void constants(u64 domain) {
    put32(domain, 0);
    EXPECT(get32(domain), 0x80000000);
    put32(domain, 1 << 8 | 1 << 2);
    EXPECT(get32(domain), 0x80000100);
    // Nothing sends messages.
    put32(domain + GENMSI, -1);
    EXPECT(get32(domain + GENMSI), 0);
    if (!is_qemu()) {
        put32(domain + 0x1bc0, -1);
        put32(domain + 0x1bc4, -1);
        EXPECT(get32(domain + 0x1bc0) | get32(domain + 0x1bc4), 0);
    }
    for (int hart = 0; hart < HARTS; hart++) {
        put32(IDC(domain, hart) + IDELIVERY, 1);
        EXPECT(get32(IDC(domain, hart) + IDELIVERY), 1);
        put32(IDC(domain, hart) + IDELIVERY, 0);
        EXPECT(get32(IDC(domain, hart) + IDELIVERY), 0);
        put32(IDC(domain, hart) + ITHRESHOLD, 7);
        EXPECT(get32(IDC(domain, hart) + ITHRESHOLD), 7);
        put32(IDC(domain, hart) + ITHRESHOLD, 0);
        EXPECT(get32(IDC(domain, hart) + TOPI), 0);
        EXPECT(get32(IDC(domain, hart) + CLAIMI), 0);
        // Read only.
        put32(IDC(domain, hart) + TOPI, -1);
        put32(IDC(domain, hart) + CLAIMI, -1);
        EXPECT(get32(IDC(domain, hart) + TOPI), 0);
    }
    // No such hart.
    put32(IDC(domain, HARTS) + IDELIVERY, 1);
    EXPECT(get32(IDC(domain, HARTS) + IDELIVERY), 0);
    EXPECT(get32(IDC(domain, HARTS) + CLAIMI), 0);
}

// Sources of a domain that it has, with hart 0 as their target.
static void priorities(u64 domain, int line) {
    u64 own = IDC(domain, 0);
    for (u64 source = 20; source < 24; source++) {
        put32(domain + SOURCE(source), 1);
        if (!is_qemu()) EXPECT(get32(domain + TARGET(source)), 1);
    }
    // There is no priority 0.
    put32(domain + TARGET(23), 0);
    EXPECT(get32(domain + TARGET(23)), 1);
    put32(domain + TARGET(20), 3);
    put32(domain + TARGET(21), 2);
    put32(domain + TARGET(22), 2);
    EXPECT(get32(domain + TARGET(20)), 3);
    put32(domain + SETIE, 7 << 20);
    put32(domain + SETIPNUM, 20);
    put32(domain + SETIPNUM, 22);
    put32(domain + SETIPNUM_LE, 21);
    EXPECT(get32(domain + SETIP) & 0xf << 20, 7 << 20);
    EXPECT(get32(own + TOPI), 21 << 16 | 2);
    // Neither without idelivery, nor without IE.
    EXPECT(is_pending(line), 0);
    put32(own + IDELIVERY, 1);
    wait_until(line, 1);
    put32(domain, 0);
    wait_until(line, 0);
    EXPECT(get32(own + TOPI), 21 << 16 | 2);
    put32(domain, 1 << 8);
    wait_until(line, 1);
    // Lower numbers are better, and of equal ones lower sources.
    EXPECT(get32(own + CLAIMI), 21 << 16 | 2);
    EXPECT(get32(own + CLAIMI), 22 << 16 | 2);
    EXPECT(get32(own + TOPI), 20 << 16 | 3);
    put32(own + ITHRESHOLD, 3);
    EXPECT(get32(own + TOPI), 0);
    wait_until(line, 0);
    EXPECT(get32(own + CLAIMI), 0);
    EXPECT(get32(domain + SETIP) & 0xf << 20, 1 << 20);
    put32(own + ITHRESHOLD, 4);
    wait_until(line, 1);
    put32(domain + CLRIENUM, 20);
    wait_until(line, 0);
    put32(domain + SETIENUM, 20);
    wait_until(line, 1);
    put32(domain + CLRIPNUM, 20);
    wait_until(line, 0);
    put32(own + ITHRESHOLD, 0);
    // A hart that is not there gets nothing, and nobody else.
    put32(domain + TARGET(20), 9 << 18 | 1);
    put32(domain + SETIPNUM, 20);
    EXPECT(is_pending(line), 0);
    put32(domain + TARGET(20), 1);
    wait_until(line, 1);
    EXPECT(get32(own + CLAIMI), 20 << 16 | 1);
    wait_until(line, 0);
}

static void force(u64 domain, int line) {
    u64 own = IDC(domain, 0);
    put32(own + IFORCE, 1);
    EXPECT(get32(own + IFORCE), 1);
    wait_until(line, 1);
    EXPECT(get32(own + TOPI), 0);
    // A real one first; only the claim of none ends the force.
    put32(domain + SETIPNUM, 21);
    EXPECT(get32(own + CLAIMI), 21 << 16 | 2);
    EXPECT(get32(own + IFORCE), 1);
    EXPECT(is_pending(line), 1);
    EXPECT(get32(own + CLAIMI), 0);
    EXPECT(get32(own + IFORCE), 0);
    // QEMU 7.2 looks at the line again at the next write.
    if (is_qemu()) put32(own + IFORCE, 0);
    wait_until(line, 0);
}

static void wires(u64 domain, int line) {
    u64 own = IDC(domain, 0);
    wire(0);
    put32(domain + SOURCE(10), HIGH);
    put32(domain + TARGET(10), 2);
    put32(domain + SETIENUM, 10);
    // What is low cannot be made pending.
    if (!is_qemu()) {
        put32(domain + SETIPNUM, 10);
        EXPECT(get32(domain + SETIP) & 1 << 10, 0);
    }
    wire(1);
    wait_until(line, 1);
    EXPECT(get32(domain + CLRIP) & 1 << 10, 1 << 10);
    // Pending as long as it is high: neither a claim nor software takes that back.
    EXPECT(get32(own + CLAIMI), 10 << 16 | 2);
    EXPECT(is_pending(line), 1);
    if (!is_qemu()) {
        put32(domain + CLRIPNUM, 10);
        put32(domain + CLRIP, 1 << 10);
        EXPECT(get32(domain + SETIP) & 1 << 10, 1 << 10);
    }
    EXPECT(get32(own + CLAIMI), 10 << 16 | 2);
    wire(0);
    if (!is_qemu()) {
        wait_until(line, 0);
        EXPECT(get32(own + CLAIMI), 0);
    }
    // An edge is claimed once.
    put32(domain + SOURCE(10), 0);
    if (!is_qemu()) EXPECT(get32(domain + TARGET(10)), 0);
    put32(domain + SOURCE(10), RISING);
    put32(domain + TARGET(10), 5);
    put32(domain + CLRIPNUM, 10);
    put32(domain + SETIENUM, 10);
    wire(1);
    wait_until(line, 1);
    EXPECT(get32(own + CLAIMI), 10 << 16 | 5);
    wait_until(line, 0);
    EXPECT(get32(own + CLAIMI), 0);
    wire(0);
    EXPECT(is_pending(line), 0);
    put32(domain + SOURCE(10), 0);
}

static void traps(void) {
    write_csr(mie, BIT(MEI));
    put32(APLIC_M + SETIPNUM, 21);
    me()->cause = NONE;
    set_csr(mstatus, MIE);
    asm volatile("nop");
    clear_csr(mstatus, MIE);
    EXPECT(me()->cause, INTERRUPT | MEI);
    EXPECT(get32(IDC(APLIC_M, 0) + CLAIMI), 21 << 16 | 2);
    // Waits until there is one.
    write_csr(mie, BIT(MEI));
    put32(APLIC_M + SETIPNUM, 22);
    asm volatile("wfi");
    EXPECT(get32(IDC(APLIC_M, 0) + CLAIMI), 22 << 16 | 2);
    write_csr(mie, 0);
}

int main(void) {
    open_memory();
    write_csr(mie, 0);
    if (is_qemu()) forget(APLIC_M), forget(APLIC_S);
    constants(APLIC_M);
    constants(APLIC_S);
    priorities(APLIC_M, MEI);
    force(APLIC_M, MEI);
    wires(APLIC_M, MEI);
    traps();
    report("machine", get32(APLIC_M));
    for (u64 source = 1; source <= 96; source++) put32(APLIC_M + SOURCE(source), 1 << 10);
    EXPECT(get32(APLIC_M + SOURCE(96)), 1 << 10);
    priorities(APLIC_S, SEI);
    force(APLIC_S, SEI);
    wires(APLIC_S, SEI);
    EXPECT(is_pending(MEI), 0);
    report("supervisor", get32(APLIC_S));
    return 0;
}
