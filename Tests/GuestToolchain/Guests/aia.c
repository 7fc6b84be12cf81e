// The Advanced Interrupt Architecture without guests: interrupt files by their CSRs and by messages (chapter 3), the APLIC (chapter 4), and the
// interrupts of M-mode and S-mode (chapter 5).
#include "aia.h"

enum { SSI = 1, MSI = 3, STI = 5, MTI = 7, SEI = 9, MEI = 11 };

// In S-mode: lets interrupts in, and says what the hart has claimed then.
static long supervisor_claims(long a, long b) {
    (void)a, (void)b;
    let_in();
    set_csr(sie, BIT(SEI));
    report("stopi", NUMBER(read_number(STOPI)));
    return claim(STOPEI);
}

static void interrupt_files(void) {
    // Nothing is pending at first, or it is gone now.
    for (int k = 0; k < 8; k += 2) put_m(EIP + k, 0), put_m(EIE + k, 0), put_s(EIP + k, 0), put_s(EIE + k, 0);
    put_m(EIDELIVERY, -1);
    EXPECT(get_m(EIDELIVERY), 1);
    put_m(EIDELIVERY, 0);
    EXPECT(get_m(EIDELIVERY), 0);
    put_m(EITHRESHOLD, 255);
    EXPECT(get_m(EITHRESHOLD), 255);
    put_m(EITHRESHOLD, 0);
    // There is no identity 0.
    put_m(EIE, -1);
    EXPECT(get_m(EIE), -2ul);
    put_m(EIE + 6, -1);
    EXPECT(get_m(EIE + 6), -1ul);
    put_m(EIP, -1);
    EXPECT(get_m(EIP), -2ul);
    clear_m(EIP, 0xf0);
    set_m(EIP, 0x20);
    EXPECT(get_m(EIP), ~0xd1ul);
    put_m(EIP, 0);
    put_m(EIE + 6, 0);
    // Messages. Other numbers are ignored; nothing can be read back.
    put32(IMSIC_M, 0);
    put32(IMSIC_M, 256);
    put32(IMSIC_M, 2047);
    put32(IMSIC_M, -1);
    put32(IMSIC_M + 8, 9);
    for (int k = 0; k < 8; k += 2) EXPECT(get_m(EIP + k), 0);
    put32(IMSIC_M, 5);
    put32(IMSIC_M, 255);
    EXPECT(get32(IMSIC_M), 0);
    EXPECT(get_m(EIP), BIT(5));
    EXPECT(get_m(EIP + 6), BIT(63));
    if (!is_qemu()) {
        put32(IMSIC_M + 4, 0x06000000);
        put64(IMSIC_M, 7);
        *(volatile u16 *)IMSIC_M = 8;
        EXPECT(get_m(EIP), BIT(5) | BIT(6));
        clear_m(EIP, BIT(6));
    }
    // The lowest identity is the best; the threshold shuts out those from it on.
    put32(IMSIC_M, 3);
    put32(IMSIC_M, 64);
    put_m(EIE, BIT(5));
    put_m(EIE + 2, BIT(0));
    EXPECT(read_number(MTOPEI), TOP(5));
    set_m(EIE, BIT(3));
    EXPECT(read_number(MTOPEI), TOP(3));
    put_m(EITHRESHOLD, 3);
    EXPECT(read_number(MTOPEI), 0);
    EXPECT(claim(MTOPEI), 0);
    put_m(EITHRESHOLD, 4);
    EXPECT(read_number(MTOPEI), TOP(3));
    put_m(EITHRESHOLD, 0);
    EXPECT(claim(MTOPEI), TOP(3));
    EXPECT(claim(MTOPEI), TOP(5));
    // What is written does not matter.
    write_number(MTOPEI, -1);
    EXPECT(read_number(MTOPEI), 0);
    EXPECT(get_m(EIP + 2), 0);
    EXPECT(get_m(EIP + 6), BIT(63));
    put_m(EIP + 6, 0);
    // Odd registers of arrays do not exist, nor other numbers; priorities are there.
    EXPECT(refusal_m(EIP + 1), ILLEGAL);
    EXPECT(refusal_m(EIE + 1), ILLEGAL);
    EXPECT(refusal_m(0x31), ILLEGAL);
    EXPECT(refusal_s(0x3f), ILLEGAL);
    EXPECT(refusal_m(0), ILLEGAL);
    EXPECT(refusal_m(0x40), ILLEGAL);
    EXPECT(refusal_s(0x100), ILLEGAL);
    for (int number = 0x30; number < 0x40; number += 2) {
        EXPECT(refusal_m(number), NONE);
        EXPECT(refusal_s(number), NONE);
        // QEMU has priorities.
        if (!is_qemu()) EXPECT(get_m(number) | get_s(number), 0);
    }
    if (!is_qemu()) {
        for (int number = 0x73; number < 0x80; number++) {
            put_m(number, -1);
            EXPECT(get_m(number), 0);
        }
        put_m(0x71, -1);
        EXPECT(get_m(0x71), 0);
        put_m(EIP + 8, -1);
        EXPECT(get_m(EIP + 8), 0);
        put_m(EIE + 62, -1);
        EXPECT(get_m(EIE + 62), 0);
        put_m(0x30, -1);
        EXPECT(get_m(0x30), 0);
        put_m(EITHRESHOLD, 0xf1f);
        EXPECT(get_m(EITHRESHOLD), 0x1f);
        put_m(EITHRESHOLD, 0);
    }
    write_number(SISELECT, -1);
    EXPECT(read_number(SISELECT) >= 0x1ff, 1);
    write_number(MISELECT, 0xff);
    EXPECT(read_number(MISELECT), 0xff);
}

static void machine_interrupts(void) {
    write_csr(mie, BIT(MEI));
    put_m(EIDELIVERY, 0);
    put_m(EIE, BIT(9) | BIT(8));
    put32(IMSIC_M, 9);
    EXPECT(read_csr(mip) & BIT(MEI), 0);
    EXPECT(read_number(MTOPI), 0);
    put_m(EIDELIVERY, 1);
    EXPECT(read_csr(mip) & BIT(MEI), BIT(MEI));
    EXPECT(NUMBER(read_number(MTOPI)), MEI);
    put_m(EITHRESHOLD, 9);
    EXPECT(read_csr(mip) & BIT(MEI), 0);
    put_m(EITHRESHOLD, 0);
    put_m(EIE, BIT(8));
    EXPECT(read_csr(mip) & BIT(MEI), 0);
    put_m(EIE, BIT(9) | BIT(8));
    // The best of M-mode's interrupts, also while MIE is 0.
    put32(MSIP(0), 1);
    write_csr(mie, BIT(MSI) | BIT(MEI));
    while (!(read_csr(mip) & BIT(MSI))) {}
    EXPECT(NUMBER(read_number(MTOPI)), MEI);
    me()->cause = NONE;
    set_csr(mstatus, MIE);
    asm volatile("nop");
    clear_csr(mstatus, MIE);
    // The handler masks what it took: both have been taken.
    EXPECT(me()->cause, INTERRUPT | MSI);
    write_csr(mie, BIT(MSI));
    EXPECT(NUMBER(read_number(MTOPI)), MSI);
    put32(MSIP(0), 0);
    while (read_csr(mip) & BIT(MSI)) {}
    EXPECT(read_number(MTOPI), 0);
    EXPECT(claim(MTOPEI), TOP(9));
    EXPECT(read_csr(mip) & BIT(MEI), 0);
    // A message of the hart's own ends WFI, whatever the mode's enables.
    write_csr(mie, BIT(MEI));
    put32(IMSIC_M, 8);
    asm volatile("wfi");
    EXPECT(claim(MTOPEI), TOP(8));
    write_csr(mie, 0);
}

static void supervisor_interrupts(void) {
    write_csr(mideleg, BIT(SEI) | BIT(SSI) | BIT(STI));
    put_s(EIDELIVERY, 1);
    put_s(EITHRESHOLD, 0);
    put_s(EIE + 2, BIT(36));
    put32(IMSIC_S, 100);
    EXPECT(get_m(EIP + 2), 0);
    EXPECT(get_s(EIP + 2), BIT(36));
    EXPECT(read_csr(mip) & BIT(SEI), BIT(SEI));
    EXPECT(read_csr(sip), BIT(SEI));
    EXPECT(read_number(STOPI), 0);
    write_csr(mie, BIT(SEI));
    EXPECT(NUMBER(read_number(STOPI)), SEI);
    EXPECT(read_number(MTOPI), 0);
    EXPECT(run_at(SUPERVISOR, supervisor_claims, 0, 0), TOP(100));
    EXPECT(me()->cause, INTERRUPT | SEI);
    EXPECT(me()->level, 1);
    EXPECT(read_csr(sip), 0);
    // SEIP of M-mode has no identity. Without a delegation the interrupt is M-mode's.
    write_csr(mie, BIT(SEI));
    write_csr(mip, BIT(SEI));
    EXPECT(NUMBER(read_number(STOPI)), SEI);
    EXPECT(read_number(STOPEI), 0);
    write_csr(mideleg, 0);
    EXPECT(read_number(STOPI), 0);
    EXPECT(NUMBER(read_number(MTOPI)), SEI);
    write_csr(mip, 0);
    write_csr(mie, 0);
    // The modes that may use the registers.
    write_number(SISELECT, EIDELIVERY);
    EXPECT(try_in(SUPERVISOR, READ(SIREG), 0), NONE);
    EXPECT(result, 1);
    EXPECT(try_in(SUPERVISOR, READ(STOPEI), 0), NONE);
    EXPECT(try_in(SUPERVISOR, WRITE(SISELECT), EIP + 1), NONE);
    EXPECT(try_in(SUPERVISOR, READ(SIREG), 0), ILLEGAL);
    EXPECT(try_in(SUPERVISOR, WRITE(STOPI), 0), ILLEGAL);
    static const u32 supervisors[] = {READ(SISELECT), READ(SIREG), READ(STOPEI), READ(STOPI)};
    static const u32 machines[] = {READ(MISELECT), READ(MIREG), READ(MTOPEI), READ(MTOPI), READ(MVIEN), READ(MVIP)};
    write_number(SISELECT, EIDELIVERY);
    for (int k = 0; k < 4; k++) EXPECT(try_in(USER, supervisors[k], 0), ILLEGAL);
    for (int k = 0; k < 6; k++) EXPECT(try_in(SUPERVISOR, machines[k], 0), ILLEGAL);
}

// Interrupts that M-mode makes pending for the supervisor (section 5.3). QEMU 7.2 has none.
static void virtual_interrupts(void) {
    write_csr(mideleg, 0);
    write_csr(mie, 0);
    write_number(MVIEN, -1);
    EXPECT(read_number(MVIEN), BIT(SSI) | BIT(SEI));
    EXPECT(read_csr(sie), 0);
    write_number(MVIP, -1);
    EXPECT(read_number(MVIP) & (BIT(SSI) | BIT(SEI)), BIT(SSI) | BIT(SEI));
    EXPECT(read_csr(mip) & (BIT(SSI) | BIT(SEI)), 0);
    EXPECT(read_csr(sip), BIT(SSI) | BIT(SEI));
    EXPECT(read_number(STOPI), 0);
    write_csr(sie, -1);
    EXPECT(read_csr(sie), BIT(SSI) | BIT(SEI));
    EXPECT(read_csr(mie), 0);
    EXPECT(NUMBER(read_number(STOPI)), SEI);
    EXPECT(read_number(MTOPI), 0);
    asm volatile("wfi");
    // They are taken in S-mode, without a delegation. The handler masks each.
    me()->level = 0;
    me()->cause = NONE;
    put_s(EIE, 0);
    // With bit 9 S-mode has no interrupt file.
    EXPECT(try_in(SUPERVISOR, READ(STOPEI), 0), ILLEGAL);
    write_number(SISELECT, EIDELIVERY);
    EXPECT(try_in(SUPERVISOR, READ(SIREG), 0), ILLEGAL);
    write_number(SISELECT, 0x30);
    EXPECT(try_in(SUPERVISOR, READ(SIREG), 0), NONE);
    EXPECT(read_number(STOPEI), 0);
    write_csr(stvec, supervisor_trap);
    write_csr(sscratch, me());
    run_at(USER, nothing, 0, 0);
    EXPECT(me()->cause, INTERRUPT | SSI);
    EXPECT(me()->level, 1);
    EXPECT(read_csr(sie), 0);
    // S-mode clears SSIP, not SEIP.
    write_csr(sip, 0);
    EXPECT(read_csr(sip), BIT(SEI));
    EXPECT(read_number(MVIP) & BIT(SSI), 0);
    // Without mvien, SEIP of mvip is that of mip, and SSIP an alias.
    write_number(MVIEN, 0);
    EXPECT(read_csr(mip) & BIT(SEI), BIT(SEI));
    EXPECT(read_csr(sip), 0);
    write_csr(mip, BIT(SSI));
    EXPECT(read_number(MVIP) & (BIT(SSI) | BIT(SEI)), BIT(SSI));
    write_number(MVIP, 0);
    EXPECT(read_csr(mip) & (BIT(SSI) | BIT(SEI)), 0);
    write_number(MVIEN, BIT(SEI));
    write_csr(mip, BIT(SEI));
    EXPECT(read_number(MVIP) & BIT(SEI), 0);
    write_number(MVIEN, 0);
}

static void wait_for(u64 (*get)(u64), u64 number, u64 bits) {
    while (get(number) != bits) {}
}

// Bits of sources. QEMU 7.2 does not clear those of sources that are not in use.
static u32 bits(u64 address) { return get32(address) & (is_qemu() ? 1 << 10 | 1 << 20 : -1); }

static void controller(void) {
    // Addresses as firmware sets them: 4 KiB for each hart at machine level, 32 KiB at supervisor level with seven guests.
    put32(APLIC_M + 0x1bc0, IMSIC_M >> 12);
    put32(APLIC_M + 0x1bc4, 1 << 12);
    put32(APLIC_M + 0x1bc8, IMSIC_S >> 12);
    put32(APLIC_M + 0x1bcc, 3 << 20);
    EXPECT(get32(APLIC_M + 0x1bc0), IMSIC_M >> 12);
    EXPECT(get32(APLIC_M + 0x1bcc), 3 << 20);
    EXPECT(get32(APLIC_S + 0x1bc0), 0);
    put32(APLIC_M, 0);
    EXPECT(get32(APLIC_M), 0x80000004);
    put32(APLIC_M, 1 << 8);
    EXPECT(get32(APLIC_M), 0x80000104);
    put32(APLIC_S, 1 << 8);
    // Sources of the root; the child has none until they are delegated.
    put32(APLIC_M + SOURCE(20), 1);
    EXPECT(get32(APLIC_M + SOURCE(20)), 1);
    put32(APLIC_M + SOURCE(97), 1);
    EXPECT(get32(APLIC_M + SOURCE(97)), 0);
    put32(APLIC_S + SOURCE(20), 1);
    // QEMU 7.2 lets the child have it.
    if (!is_qemu()) EXPECT(get32(APLIC_S + SOURCE(20)), 0);
    put_m(EIP, 0);
    put32(APLIC_M + TARGET(20), 20);
    EXPECT(get32(APLIC_M + TARGET(20)), 20);
    put32(APLIC_M + SETIPNUM, 20);
    EXPECT(bits(APLIC_M + SETIP), 1 << 20);
    put32(APLIC_M + CLRIPNUM, 20);
    EXPECT(bits(APLIC_M + SETIP), 0);
    put32(APLIC_M + SETIPNUM_LE, 20);
    EXPECT(get_m(EIP), 0);
    put32(APLIC_M + SETIENUM, 20);
    EXPECT(bits(APLIC_M + SETIE), 1 << 20);
    wait_for(get_m, EIP, BIT(20));
    EXPECT(bits(APLIC_M + SETIP), 0);
    put32(APLIC_M + CLRIE, -1);
    EXPECT(bits(APLIC_M + SETIE), 0);
    EXPECT(get32(APLIC_M + CLRIE), 0);
    // Delegated, a source has no state here.
    put32(APLIC_M + SOURCE(20), 1 << 10);
    EXPECT(get32(APLIC_M + SOURCE(20)), 1 << 10);
    if (!is_qemu()) EXPECT(get32(APLIC_M + TARGET(20)), 0);
    put32(APLIC_S + SOURCE(20), 1);
    EXPECT(get32(APLIC_S + SOURCE(20)), 1);
    put32(APLIC_S + TARGET(20), 33);
    put32(APLIC_S + SETIE, 1 << 20);
    put_s(EIP, 0);
    put32(APLIC_S, 0);
    put32(APLIC_S + SETIP, 1 << 20);
    EXPECT(get_s(EIP), 0);
    put32(APLIC_S, 1 << 8);
    wait_for(get_s, EIP, BIT(33));
    // A message of the controller's own.
    put32(APLIC_S + GENMSI, 34);
    wait_for(get_s, EIP, BIT(33) | BIT(34));
    put32(APLIC_M + GENMSI, 35);
    wait_for(get_m, EIP, BIT(20) | BIT(35));
    if (!is_qemu()) {
        // A leaf delegates nothing; without the delegation all of the child's state is gone.
        put32(APLIC_S + SOURCE(20), 1 << 10);
        EXPECT(get32(APLIC_S + SOURCE(20)), 0);
        EXPECT(bits(APLIC_S + SETIE), 0);
        put32(APLIC_S + SOURCE(20), 1);
        put32(APLIC_S + TARGET(20), 33);
        put32(APLIC_M + SOURCE(20), 0);
        EXPECT(get32(APLIC_S + SOURCE(20)), 0);
        EXPECT(get32(APLIC_S + TARGET(20)), 0);
        put32(APLIC_M + SOURCE(20), 2);
        EXPECT(get32(APLIC_M + SOURCE(20)), 0);
        // Other sizes.
        put64(APLIC_M + SOURCE(20), 1);
        EXPECT(get32(APLIC_M + SOURCE(20)), 0);
    }
}

// The serial port's wire: source 10, high while it can send and says so.
static void wires(void) {
    *(volatile u8 *)(UART + 1) = 0;
    put32(APLIC_M + SOURCE(10), 1 << 10);
    put32(APLIC_S + SOURCE(10), HIGH);
    put32(APLIC_S + TARGET(10), 40);
    put32(APLIC_S + SETIENUM, 10);
    put_s(EIP, 0);
    EXPECT(get32(APLIC_S + CLRIP), 0);
    // What is low cannot be made pending.
    put32(APLIC_S + SETIPNUM, 10);
    // QEMU 7.2 does so.
    if (!is_qemu()) EXPECT(get32(APLIC_S + SETIP) | get_s(EIP), 0);
    put_s(EIP, 0);
    *(volatile u8 *)(UART + 1) = 2;
    wait_for(get_s, EIP, BIT(40));
    EXPECT(get32(APLIC_S + CLRIP), 1 << 10);
    EXPECT(bits(APLIC_S + SETIP), 0);
    // Once, until software asks again or the wire falls.
    put_s(EIP, 0);
    EXPECT(get_s(EIP), 0);
    put32(APLIC_S + SETIPNUM, 10);
    wait_for(get_s, EIP, BIT(40));
    put_s(EIP, 0);
    *(volatile u8 *)(UART + 1) = 0;
    EXPECT(get32(APLIC_S + CLRIP), 0);
    *(volatile u8 *)(UART + 1) = 2;
    wait_for(get_s, EIP, BIT(40));
    // Held back, it is pending as long as the wire is high.
    put32(APLIC_S + CLRIENUM, 10);
    *(volatile u8 *)(UART + 1) = 0;
    *(volatile u8 *)(UART + 1) = 2;
    EXPECT(bits(APLIC_S + SETIP), 1 << 10);
    *(volatile u8 *)(UART + 1) = 0;
    // In QEMU 7.2 it stays.
    if (!is_qemu()) EXPECT(bits(APLIC_S + SETIP), 0);
    // Edges stay.
    put_s(EIP, 0);
    put32(APLIC_S + SOURCE(10), 0);
    put32(APLIC_S + SOURCE(10), RISING);
    put32(APLIC_S + TARGET(10), 41);
    *(volatile u8 *)(UART + 1) = 2;
    *(volatile u8 *)(UART + 1) = 0;
    EXPECT(bits(APLIC_S + SETIP), 1 << 10);
    put32(APLIC_S + SETIENUM, 10);
    wait_for(get_s, EIP, BIT(41));
    if (!is_qemu()) {
        put_s(EIP, 0);
        *(volatile u8 *)(UART + 1) = 2;
        wait_for(get_s, EIP, BIT(41));
        put32(APLIC_S + SOURCE(10), FALLING);
        put_s(EIP, 0);
        *(volatile u8 *)(UART + 1) = 0;
        wait_for(get_s, EIP, BIT(41));
        // Inverted, and high at once.
        put32(APLIC_S + SOURCE(10), 0);
        put_s(EIP, 0);
        put32(APLIC_S + SOURCE(10), LOW);
        put32(APLIC_S + TARGET(10), 42);
        EXPECT(bits(APLIC_S + SETIP), 1 << 10);
        put32(APLIC_S + SETIENUM, 10);
        wait_for(get_s, EIP, BIT(42));
        // The addresses are locked.
        put32(APLIC_M + 0x1bc4, 1u << 31 | 1 << 12);
        put32(APLIC_M + 0x1bc0, 0);
        put32(APLIC_M + 0x1bc8, 0);
        EXPECT(get32(APLIC_M + 0x1bc0), IMSIC_M >> 12);
        EXPECT(get32(APLIC_M + 0x1bc8), IMSIC_S >> 12);
    }
    put32(APLIC_S + SOURCE(10), 0);
}

int main(void) {
    open_memory();
    write_csr(mie, 0);
    // With the hypervisor extension S-mode has what M-mode enables.
    (void)try_write(MSTATEEN0, -1);
    interrupt_files();
    report("files", get_m(EIE) | get_m(EIP));
    machine_interrupts();
    report("machine", get_m(EIP));
    supervisor_interrupts();
    report("supervisor", get_s(EIP));
    if (!is_qemu()) virtual_interrupts();
    controller();
    report("controller", get_s(EIP));
    wires();
    report("wires", get32(APLIC_S));
    return 0;
}
