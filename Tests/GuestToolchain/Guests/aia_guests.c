// The Advanced Interrupt Architecture for guests: guest interrupt files (hgeip, hgeie, VGEIN, vstopei), and the interrupts of VS-mode
// (chapter 6), with the hart's seven guest interrupt files.
#include "aia.h"

enum { SSI = 1, STI = 5, SEI = 9, VSSI = 2, VSTI = 6, VSEI = 10, SGEI = 12 };
#define VGEIN(file) ((u64)(file) << 12)
#define VTI (1ul << 30)
#define IID(number) ((u64)(number) << 16)
#define DPR (1ul << 9)
#define IPRIOM (1ul << 8)
#define GUEST_PAGE(file) (IMSIC_S + 0x1000ul * (file))
// mstateen0 and hstateen0.
#define CSRIND (1ul << 60)
#define AIA (1ul << 59)
#define IMSIC (1ul << 58)

// In VS-mode: lets interrupts in, and claims one as a supervisor does.
static long guest_claims(long a, long b) {
    (void)a, (void)b;
    let_in();
    set_csr(sie, BIT(SEI));
    u64 top = read_number(STOPI);
    return NUMBER(top) == SEI ? claim(STOPEI) : 0;
}
static long guest_takes(long a, long b) {
    (void)a, (void)b;
    let_in();
    return 0;
}

// In HS-mode: ends the interrupt of guests' files by hgeie. supervisor_trap masks by sie, which does not have it.
extern char guest_external[];

static void reset_file(int file) {
    write_number(HSTATUS, VGEIN(file));
    for (int k = 0; k < 8; k += 2) put_vs(EIP + k, 0), put_vs(EIE + k, 0);
    put_vs(EIDELIVERY, 0);
    put_vs(EITHRESHOLD, 0);
}

static void files(void) {
    // As many files as hgeie has bits.
    write_number(HGEIE, -1);
    EXPECT(read_number(HGEIE), 0xfe);
    write_number(HGEIE, 0);
    for (int file = 1; file <= 7; file++) reset_file(file);
    // Without a file there is nothing behind the window.
    write_number(HSTATUS, 0);
    EXPECT(refusal_vs(EIDELIVERY), ILLEGAL);
    (void)try_read(VSTOPEI);
    EXPECT(caught(), ILLEGAL);
    // Each has registers of its own, and a page.
    for (int file = 1; file <= 7; file++) {
        write_number(HSTATUS, VGEIN(file));
        EXPECT(read_number(HSTATUS) & VGEIN(63), VGEIN(file));
        put_vs(EIE, BIT(file) | BIT(20));
        put_vs(EIDELIVERY, 1);
        put32(GUEST_PAGE(file), file);
        EXPECT(read_number(VSTOPEI), TOP(file));
        EXPECT(read_number(HGEIP), BIT(file + 1) - 2);
    }
    EXPECT(refusal_vs(EIP + 1), ILLEGAL);
    EXPECT(refusal_vs(0x30), ILLEGAL);
    EXPECT(refusal_vs(0x3f), ILLEGAL);
    write_number(VSISELECT, 0x1ff);
    EXPECT(read_number(VSISELECT), 0x1ff);
    EXPECT(get_s(EIP) | get_m(EIP), 0);
    // Those that hgeie names make one interrupt of HS-mode.
    EXPECT(read_csr(mip) & BIT(SGEI), 0);
    write_number(HGEIE, BIT(3));
    EXPECT(read_csr(mip) & BIT(SGEI), BIT(SGEI));
    EXPECT(read_number(HIP) & BIT(SGEI), BIT(SGEI));
    EXPECT(read_csr(mideleg) & BIT(SGEI), BIT(SGEI));
    write_number(HIE, BIT(SGEI));
    EXPECT(read_csr(mie), BIT(SGEI));
    EXPECT(NUMBER(read_number(STOPI)), SGEI);
    write_csr(stvec, guest_external);
    write_csr(sscratch, me());
    me()->cause = NONE;
    me()->level = 0;
    write_number(HSTATUS, VGEIN(3));
    run_at(USER, nothing, 0, 0);
    EXPECT(me()->cause, INTERRUPT | SGEI);
    EXPECT(me()->level, 1);
    EXPECT(read_number(HGEIE), 0);
}

asm(".balign 4\n.globl guest_external\nguest_external:\n"
    "csrrw tp, sscratch, tp\nsd t0, 8*6(tp)\ncsrr t0, scause\nsd t0, 272(tp)\nli t0, 1\nsd t0, 312(tp)\n"
    "csrw 0x607, zero\nld t0, 8*6(tp)\ncsrrw tp, sscratch, tp\nsret\n");

static void external(void) {
    write_number(HIE, BIT(VSEI));
    write_number(HIDELEG, BIT(VSSI) | BIT(VSTI) | BIT(VSEI));
    write_number(HGEIE, 0);
    write_number(HVIP, 0);
    // VSEIP is the line of the file that VGEIN names.
    for (int file = 1; file <= 7; file++) {
        write_number(HSTATUS, VGEIN(file));
        EXPECT(read_number(HIP) & BIT(VSEI), BIT(VSEI));
        EXPECT(read_number(HVIP), 0);
        // QEMU 7.2 shows the guest only what hvip has.
        if (!is_qemu()) EXPECT(read_number(VSIP), BIT(SEI));
        EXPECT(NUMBER(read_number(VSTOPI)), SEI);
    }
    write_number(HSTATUS, 0);
    EXPECT(read_number(HIP) & BIT(VSEI), 0);
    EXPECT(read_number(VSTOPI), 0);
    // The guest takes and claims it, by the registers of a supervisor.
    write_number(HSTATUS, VGEIN(2));
    EXPECT(run_in(IN_VS, guest_claims, 0, 0), TOP(2));
    EXPECT(me()->cause, INTERRUPT | SEI);
    EXPECT(read_number(HIP) & BIT(VSEI), 0);
    EXPECT(read_number(HGEIP), 0xfa);
    write_number(HIE, BIT(VSEI));
    // The hypervisor gives it one more.
    set_vs(EIP, BIT(20));
    EXPECT(NUMBER(read_number(VSTOPI)), SEI);
    EXPECT(run_in(IN_VS, guest_claims, 0, 0), TOP(20));
    write_number(HIE, BIT(VSEI));
    EXPECT(read_number(VSTOPI), 0);
    // The guest's own select is not the hypervisor's.
    write_number(SISELECT, 0x30);
    write_number(VSISELECT, EIDELIVERY);
    EXPECT(try_in(IN_VS, READ(SISELECT), 0), NONE);
    EXPECT(result, EIDELIVERY);
    EXPECT(try_in(IN_VS, READ(SIREG), 0), NONE);
    EXPECT(result, 1);
    EXPECT(try_in(IN_VS, WRITE(SIREG), 0), NONE);
    EXPECT(get_vs(EIDELIVERY), 0);
    put_vs(EIDELIVERY, 1);
    EXPECT(read_number(SISELECT), 0x30);
}

static void refusals(void) {
    write_number(HSTATUS, VGEIN(1));
    write_number(VSISELECT, EIDELIVERY);
    // Registers of the hypervisor, and all in VU-mode.
    static const u32 hypervisors[] = {
        READ(0x608), READ(HVICTL), READ(HVIPRIO1), READ(HVIPRIO2), READ(VSISELECT), READ(VSIREG), READ(VSTOPEI),
        READ(VSTOPI), READ(HGEIE), READ(HGEIP)};
    static const u32 supervisors[] = {READ(SISELECT), READ(SIREG), READ(STOPEI), READ(STOPI)};
    static const u32 machines[] = {READ(MISELECT), READ(MIREG), READ(MTOPEI), READ(MTOPI)};
    for (int k = 0; k < 10; k++) {
        EXPECT(try_in(SUPERVISOR, hypervisors[k], 0), NONE);
        EXPECT(try_in(IN_VS, hypervisors[k], 0), VIRTUAL);
        EXPECT(try_in(IN_VU, hypervisors[k], 0), VIRTUAL);
    }
    for (int k = 0; k < 4; k++) {
        EXPECT(try_in(IN_VS, supervisors[k], 0), NONE);
        // QEMU 7.2 takes it for illegal.
        if (!is_qemu()) EXPECT(try_in(IN_VU, supervisors[k], 0), VIRTUAL);
        EXPECT(try_in(IN_VS, machines[k], 0), ILLEGAL);
    }
    // What the window does not have.
    static const u64 numbers[] = {0x30, 0x31, EIP + 1, EIE + 63};
    for (int k = 0; k < 4; k++) {
        write_number(VSISELECT, numbers[k]);
        EXPECT(try_in(IN_VS, READ(SIREG), 0), VIRTUAL);
        EXPECT(try_in(SUPERVISOR, READ(VSIREG), 0), ILLEGAL);
    }
    write_number(VSISELECT, EIDELIVERY);
    write_number(HSTATUS, 0);
    EXPECT(try_in(IN_VS, READ(SIREG), 0), VIRTUAL);
    EXPECT(try_in(IN_VS, READ(STOPEI), 0), VIRTUAL);
    EXPECT(try_in(SUPERVISOR, READ(VSTOPEI), 0), ILLEGAL);
    EXPECT(try_in(IN_VS, READ(STOPI), 0), NONE);
    write_number(HSTATUS, VGEIN(1));
}

// State enables (section 2.5), which QEMU 7.2 has not.
static void state_enables(void) {
    write_number(HSTATUS, VGEIN(1));
    write_number(VSISELECT, EIDELIVERY);
    write_number(SISELECT, EIDELIVERY);
    write_number(MSTATEEN0, -1);
    write_number(HSTATEEN0, -1);
    EXPECT(read_number(MSTATEEN0) & (CSRIND | AIA | IMSIC), CSRIND | AIA | IMSIC);
    EXPECT(read_number(HSTATEEN0) & (CSRIND | AIA | IMSIC), CSRIND | AIA | IMSIC);
    static const struct { u64 bit; u32 read; } owners[] = {
        {CSRIND, READ(SISELECT)}, {CSRIND, READ(SIREG)}, {IMSIC, READ(SIREG)}, {IMSIC, READ(STOPEI)}, {AIA, READ(STOPI)},
    };
    static const u64 bits[] = {CSRIND, AIA, IMSIC};
    for (int k = 0; k < 5; k++) {
        for (int b = 0; b < 3; b++) {
            write_number(HSTATEEN0, ~bits[b]);
            int isOwner = bits[b] == owners[k].bit || (owners[k].read == READ(SIREG) && bits[b] != AIA);
            EXPECT(try_in(IN_VS, owners[k].read, 0), isOwner ? VIRTUAL : NONE);
            EXPECT(try_in(SUPERVISOR, owners[k].read, 0), NONE);
            write_number(HSTATEEN0, -1);
            write_number(MSTATEEN0, ~bits[b]);
            EXPECT(try_in(IN_VS, owners[k].read, 0), isOwner ? ILLEGAL : NONE);
            EXPECT(try_in(SUPERVISOR, owners[k].read, 0), isOwner ? ILLEGAL : NONE);
            write_number(MSTATEEN0, -1);
            write_number(HSTATEEN0, -1);
        }
    }
    // Priorities behind the window are of the other kind.
    write_number(SISELECT, 0x30);
    write_number(MSTATEEN0, ~AIA);
    EXPECT(try_in(SUPERVISOR, READ(SIREG), 0), ILLEGAL);
    EXPECT(try_in(SUPERVISOR, READ(HVICTL), 0), ILLEGAL);
    EXPECT(try_in(SUPERVISOR, READ(VSTOPI), 0), ILLEGAL);
    EXPECT(try_in(SUPERVISOR, READ(HGEIP), 0), NONE);
    write_number(MSTATEEN0, ~IMSIC);
    EXPECT(try_in(SUPERVISOR, READ(SIREG), 0), NONE);
    EXPECT(try_in(SUPERVISOR, READ(VSIREG), 0), ILLEGAL);
    EXPECT(try_in(SUPERVISOR, READ(VSTOPEI), 0), ILLEGAL);
    EXPECT(try_in(IN_VS, READ(VSIREG), 0), VIRTUAL);
    EXPECT(try_in(IN_VU, READ(SIREG), 0), VIRTUAL);
    write_number(MSTATEEN0, ~CSRIND);
    EXPECT(try_in(IN_VS, READ(VSIREG), 0), ILLEGAL);
    EXPECT(try_in(IN_VU, READ(SIREG), 0), ILLEGAL);
    write_number(MSTATEEN0, -1);
}

// What hvictl injects (sections 6.3.2 and 6.3.3).
static void control(void) {
    write_number(HSTATUS, 0);
    write_number(HIE, BIT(VSSI) | BIT(VSTI) | BIT(VSEI));
    write_number(HVIP, BIT(VSSI) | BIT(VSTI));
    EXPECT(NUMBER(read_number(VSTOPI)), SSI);
    write_number(HVIP, BIT(VSTI));
    EXPECT(NUMBER(read_number(VSTOPI)), STI);
    write_number(HVICTL, VTI | IID(63) | DPR | IPRIOM | 255);
    // QEMU 7.2 has no DPR.
    EXPECT(read_number(HVICTL) | DPR, VTI | IID(63) | DPR | IPRIOM | 255);
    // Only the interrupt that it names, but for an external one.
    write_number(HVICTL, VTI | IID(37) | IPRIOM | 7);
    EXPECT(read_number(VSTOPI), IID(37) | 7);
    write_number(HVICTL, VTI | IID(SEI));
    EXPECT(read_number(VSTOPI), 0);
    write_number(HVIP, BIT(VSEI));
    // QEMU 7.2 wants a priority.
    if (!is_qemu()) EXPECT(NUMBER(read_number(VSTOPI)), SEI);
    write_number(HVICTL, VTI | IID(SEI) | IPRIOM | 5);
    EXPECT(read_number(VSTOPI), IID(SEI) | 5);
    write_number(HVICTL, VTI | IID(37) | IPRIOM | 255);
    EXPECT(read_number(VSTOPI), IID(37) | 255);
    if (!is_qemu()) {
        // An external interrupt without a priority has 256. 0 is above all or below.
        write_number(HVICTL, VTI | IID(37) | DPR | IPRIOM);
        EXPECT(read_number(VSTOPI), IID(SEI) | 255);
        write_number(HVICTL, VTI | IID(37) | IPRIOM);
        EXPECT(read_number(VSTOPI), IID(37));
        write_number(HVICTL, VTI | IID(37));
        EXPECT(read_number(VSTOPI), IID(37) | 1);
    }
    // With a file the priority is the identity.
    write_number(HVIP, 0);
    write_number(HSTATUS, VGEIN(4));
    EXPECT(read_number(VSTOPEI), TOP(4));
    write_number(HVICTL, VTI | IID(37) | IPRIOM | 5);
    EXPECT(read_number(VSTOPI), IID(SEI) | 4);
    write_number(HVICTL, VTI | IID(37) | IPRIOM | 3);
    EXPECT(read_number(VSTOPI), IID(37) | 3);
    if (!is_qemu()) {
        write_number(HVICTL, VTI | IID(37) | IPRIOM | 4);
        EXPECT(read_number(VSTOPI), IID(37) | 4);
        write_number(HVICTL, VTI | IID(37) | DPR | IPRIOM | 4);
        EXPECT(read_number(VSTOPI), IID(SEI) | 4);
    }
    // The guest takes it by this number, and cannot reach what the hypervisor emulates then.
    write_number(HSTATUS, 0);
    write_number(HVICTL, VTI | IID(37));
    EXPECT(try_in(IN_VS, READ(0x144), 0), VIRTUAL);
    EXPECT(try_in(IN_VS, READ(0x104), 0), VIRTUAL);
    if (!is_qemu()) {
        write_number(MENVCFG, -1);
        write_number(HENVCFG, -1);
        write_number(HCOUNTEREN, -1);
        write_csr(mcounteren, -1);
        EXPECT(try_in(IN_VS, WRITE(0x14d), -1), VIRTUAL);
        EXPECT(try_in(IN_VS, READ(0x14d), 0), NONE);
        write_number(MENVCFG, 0);
        asm volatile("wfi");
    }
    write_number(HVICTL, 0);
    EXPECT(try_in(IN_VS, READ(0x144), 0), NONE);
    write_number(HIE, 0);
}

static long injected(long a, long b) {
    (void)b;
    write_csr(stvec, a);
    write_csr(sscratch, me());
    me()->cause = NONE;
    set_csr(sstatus, SIE);
    asm volatile("nop");
    clear_csr(sstatus, SIE);
    return 0;
}
// In VS-mode: notes the cause, and goes back with interrupts off.
asm(".balign 4\n.globl injection_handler\ninjection_handler:\n"
    "csrrw tp, sscratch, tp\nsd t0, 8*6(tp)\ncsrr t0, scause\nsd t0, 432(tp)\n"
    "li t0, 0x20\ncsrc sstatus, t0\nld t0, 8*6(tp)\ncsrrw tp, sscratch, tp\nsret\n");
extern char injection_handler[];

int main(void) {
    open_memory();
    write_number(MENVCFG, 0);
    if (!is_qemu()) {
        write_number(MSTATEEN0, -1);
        write_number(HSTATEEN0, -1);
    }
    write_csr(medeleg, 0);
    write_csr(mideleg, 0);
    write_csr(mie, 0);
    for (int k = 0; k < 8; k += 2) put_s(EIP + k, 0), put_m(EIP + k, 0);
    files();
    report("files", read_number(HGEIP));
    external();
    report("external", read_number(HGEIP));
    refusals();
    report("refusals", read_number(HSTATUS) & VGEIN(63));
    if (!is_qemu()) state_enables();
    control();
    report("control", read_number(VSTOPI));
    // An injected interrupt with a number of its own.
    write_number(HVICTL, VTI | IID(37));
    me()->room[0] = 0;
    run_in(IN_VS, injected, (long)injection_handler, 0);
    // QEMU 7.2 shows it in vstopi only.
    if (!is_qemu()) EXPECT(me()->room[0], INTERRUPT | 37);
    write_number(HVICTL, 0);
    write_number(HIE, BIT(VSSI));
    write_number(HVIP, BIT(VSSI));
    run_in(IN_VS, guest_takes, 0, 0);
    EXPECT(me()->cause, INTERRUPT | SSI);
    return 0;
}
