// Traps from guests and to them: virtual instructions, delegation, the registers of HS- and M-mode, interrupts, returns
// (Privileged Architecture, chapter "H").
#include "hypervisor.h"

static void fresh(void) {
    write_number(HSTATUS, 0);
    write_number(HEDELEG, 0);
    write_number(HIDELEG, 0);
    write_number(HVIP, 0);
    write_csr(mie, 0);
    write_csr(medeleg, 0);
    // QEMU 7.2 sets the guest's bits at a write.
    write_csr(mideleg, 0);
    write_csr(mcounteren, -1);
    write_number(MENVCFG, -1);
    write_number(HENVCFG, -1);
    if (!is_qemu()) write_number(MSTATEEN0, -1);
    write_csr(stvec, supervisor_trap);
    write_csr(sscratch, me());
    write_number(VSTVEC, supervisor_trap);
    write_number(VSSCRATCH, me());
    write_number(VSSTATUS, FS);
    write_csr(mstatus, FS);
}

static void instructions(void) {
    fresh();
    static const u32 hypervisors[] = {
        HFENCE_VVMA, HFENCE_GVMA, HLV_B, HLV_BU, HLV_H, HLV_HU, HLV_W, HLV_WU, HLV_D, HLVX_HU, HLVX_WU, HSV_B, HSV_H,
        HSV_W, HSV_D, HINVAL_VVMA, HINVAL_GVMA,
    };
    static u64 word;
    for (u64 index = 0; index < sizeof hypervisors / 4; index++) {
        u32 bits = hypervisors[index];
        if (is_qemu() && index >= 15) break;
        int isFence = (bits & 0x707f) == 0x73;
        EXPECT(try_in(IN_VS, bits, (u64)&word), VIRTUAL);
        if (!is_qemu()) EXPECT(me()->tval, bits);
        // QEMU 7.2 finds fences of users illegal.
        if (!is_qemu() || !isFence) EXPECT(try_in(IN_VU, bits, (u64)&word), VIRTUAL);
        EXPECT(try_in(USER, bits, (u64)&word), ILLEGAL);
        EXPECT(try_in(SUPERVISOR, bits, (u64)&word), NONE);
        EXPECT(try_in(MACHINE, bits, (u64)&word), NONE);
        // Users may have the loads and stores, never the fences.
        write_number(HSTATUS, HU);
        EXPECT(try_in(USER, bits, (u64)&word), isFence ? ILLEGAL : NONE);
        if (!is_qemu() || !isFence) EXPECT(try_in(IN_VU, bits, (u64)&word), VIRTUAL);
        write_number(HSTATUS, 0);
    }
    EXPECT(try_in(SUPERVISOR | TVM, HFENCE_GVMA, 0), ILLEGAL);
    EXPECT(try_in(SUPERVISOR | TVM, HFENCE_VVMA, 0), NONE);
    if (!is_qemu()) EXPECT(try_in(IN_VS | TVM, SFENCE_VMA, 0), NONE);
    EXPECT(try_in(SUPERVISOR | TVM, SFENCE_VMA, 0), ILLEGAL);
    clear_csr(mstatus, TVM);
    // The supervisor's instructions in a guest.
    if (!is_qemu()) {
        EXPECT(try_in(IN_VU, SFENCE_VMA, 0), VIRTUAL);
        EXPECT(try_in(IN_VU, SINVAL_VMA, 0), VIRTUAL);
        EXPECT(try_in(IN_VU, SRET, 0), VIRTUAL);
    }
    EXPECT(try_in(IN_VU, MRET, 0), ILLEGAL);
    EXPECT(try_in(IN_VS, MRET, 0), ILLEGAL);
    EXPECT(try_in(IN_VS, SFENCE_VMA, 0), NONE);
    EXPECT(try_in(IN_VS, SINVAL_VMA, 0), NONE);
    EXPECT(try_in(IN_VS, SFENCE_W_INVAL, 0), NONE);
    EXPECT(try_in(IN_VS, SFENCE_INVAL_IR, 0), NONE);
    if (!is_qemu()) {
        EXPECT(try_in(IN_VU, SFENCE_W_INVAL, 0), VIRTUAL);
        EXPECT(try_in(IN_VU, SFENCE_INVAL_IR, 0), VIRTUAL);
        EXPECT(try_in(USER, SFENCE_INVAL_IR, 0), ILLEGAL);
    }
    write_number(HSTATUS, VTVM);
    EXPECT(try_in(IN_VS, SFENCE_VMA, 0), VIRTUAL);
    EXPECT(try_in(IN_VS, SINVAL_VMA, 0), VIRTUAL);
    EXPECT(try_in(IN_VS, SFENCE_W_INVAL, 0), NONE);
    EXPECT(try_in(SUPERVISOR, SFENCE_VMA, 0), NONE);
    write_number(HSTATUS, VTSR);
    EXPECT(try_in(IN_VS, SRET, 0), VIRTUAL);
    // WFI: TW is illegal for all, VTW virtual for the guest. With something pending it ends at once.
    write_number(HSTATUS, VTW);
    EXPECT(try_in(IN_VS, WFI, 0), VIRTUAL);
    EXPECT(try_in(IN_VU, WFI, 0), VIRTUAL);
    if (!is_qemu()) {
        EXPECT(try_in(IN_VS | TW, WFI, 0), ILLEGAL);
        EXPECT(try_in(IN_VU | TW, WFI, 0), ILLEGAL);
    }
    clear_csr(mstatus, TW);
    write_number(HSTATUS, 0);
    EXPECT(try_in(IN_VU, WFI, 0), VIRTUAL);
    // Floating point is off in a guest if either supervisor says so, which is an illegal instruction.
    EXPECT(try_in(IN_VS, READ(0x003), 0), NONE);
    write_number(VSSTATUS, 0);
    EXPECT(try_in(IN_VS, READ(0x003), 0), ILLEGAL);
    write_number(VSSTATUS, FS);
    clear_csr(mstatus, FS);
    EXPECT(try_in(IN_VS, READ(0x003), 0), ILLEGAL);
    // A change of the unit's state in a guest makes both dirty.
    set_csr(mstatus, 1ul << 13);
    write_number(VSSTATUS, 1ul << 13);
    EXPECT(try_in(IN_VS, 0xd2000053, 0), NONE);     // fcvt.d.w ft0, zero
    EXPECT(read_csr(mstatus) & FS, FS);
    EXPECT(read_number(VSSTATUS) & FS, FS);
    // Translated code as well: many times with one of them clean.
    for (int round = 0; round < 40; round++) {
        clear_csr(mstatus, FS);
        set_csr(mstatus, (round & 1 ? 1ul : 2ul) << 13);
        EXPECT(try_in(IN_VS, 0xd2000053, 0), NONE);
        EXPECT(read_csr(mstatus) & FS, FS);
    }
    set_csr(mstatus, FS);
}

static void blocks(void) {
    fresh();
    if (is_qemu()) return;
    static u8 block[128] __attribute__((aligned(64)));
    static const struct { u32 bits; u64 enable; } operations[] = {
        {0x0045200f, 1 << 7}, {0x0015200f, 1 << 6}, {0x0025200f, 1 << 6}, {0x0005200f, 3 << 4},
    };
    for (int index = 0; index < 4; index++) {
        u32 bits = operations[index].bits;
        u64 others = ~operations[index].enable;
        write_csr(0x10a, 0xf1);
        EXPECT(try_in(IN_VS, bits, (u64)block), NONE);
        EXPECT(try_in(IN_VU, bits, (u64)block), NONE);
        write_csr(0x10a, others & 0xf1);
        EXPECT(try_in(IN_VS, bits, (u64)block), NONE);
        EXPECT(try_in(IN_VU, bits, (u64)block), VIRTUAL);
        EXPECT(try_in(USER, bits, (u64)block), ILLEGAL);
        write_csr(0x10a, 0xf1);
        write_number(HENVCFG, others);
        EXPECT(try_in(IN_VS, bits, (u64)block), VIRTUAL);
        EXPECT(try_in(IN_VU, bits, (u64)block), VIRTUAL);
        EXPECT(try_in(SUPERVISOR, bits, (u64)block), NONE);
        write_number(MENVCFG, others);
        EXPECT(try_in(IN_VS, bits, (u64)block), ILLEGAL);
        write_number(MENVCFG, -1);
        write_number(HENVCFG, -1);
    }
}

static long call(long a, long b) { (void)b; asm volatile("li a7, 0\necall" : : : "memory", "a7"); return a; }
static long illegal(long a, long b) { (void)b; asm volatile(".word 0xffffffff" : : : "memory"); return a; }
static long breakpoint(long a, long b) {
    (void)b;
    asm volatile(".option push\n.option norvc\nebreak\n.option pop" : : : "memory");
    return a;
}
static long load(long a, long b) { (void)b; return load_64(a); }

// QEMU 7.2 leaves GVA as it was at most traps.
#define EXPECT_STATUS(expected) EXPECT(me()->status & (MPV | MPP | (is_qemu() ? 0 : GVA)), (expected) & (is_qemu() ? ~GVA : -1ul))

static void to_machine(void) {
    fresh();
    // MPV and MPP are the guest's, GVA tells of guest addresses.
    run_in(IN_VS, call, 0, 0);
    EXPECT(me()->cause, CALL_GUEST);
    EXPECT_STATUS(MPV | SUPERVISOR);
    run_in(IN_VU, call, 0, 0);
    EXPECT(me()->cause, CALL_USER);
    EXPECT_STATUS(MPV | USER);
    run_in(IN_VS, load, HOLE, 0);
    EXPECT(me()->cause, LOAD_ACCESS);
    EXPECT(me()->tval, HOLE);
    EXPECT_STATUS(MPV | SUPERVISOR | GVA);
    EXPECT(TRAP_VALUE2, 0);
    run_in(SUPERVISOR, load, HOLE, 0);
    EXPECT_STATUS(SUPERVISOR);
    run_in(IN_VU, breakpoint, 0, 0);
    EXPECT(me()->cause, BREAKPOINT);
    EXPECT_STATUS(MPV | USER | GVA);
    run_in(IN_VS, illegal, 0, 0);
    EXPECT(me()->tval, 0xffffffff);
    EXPECT_STATUS(MPV | SUPERVISOR);
    run_in(MACHINE, illegal, 0, 0);
    EXPECT_STATUS(MACHINE);
    // MPV means nothing for a return to M-mode, which clears it.
    if (is_qemu()) return;
    EXPECT(run_at(MACHINE | MPV, load, (long)&snippet, 0), *(long *)snippet);
    EXPECT(read_csr(mstatus) & MPV, 0);
}

static void to_hypervisor(void) {
    fresh();
    write_csr(medeleg, 1 << ILLEGAL | 1 << BREAKPOINT | 1 << LOAD_ACCESS | 1 << VIRTUAL);
    // From VS-mode: SPVP is its privilege, and the handler's sret returns to the guest by SPV.
    EXPECT(run_in(IN_VS, illegal, 77, 0), 77);
    EXPECT(me()->level, 1);
    EXPECT(read_csr(scause), ILLEGAL);
    EXPECT(me()->tval, 0xffffffff);
    EXPECT(me()->status & SPP, SPP);
    EXPECT(read_number(HSTATUS) & (SPV | SPVP | H_GVA), SPVP);
    EXPECT(read_number(HTVAL), 0);
    run_in(IN_VU, illegal, 0, 0);
    EXPECT(me()->level, 1);
    EXPECT(me()->status & SPP, 0);
    EXPECT(read_number(HSTATUS) & (SPV | SPVP | H_GVA), 0);
    run_in(IN_VS, load, HOLE, 0);
    EXPECT(read_csr(scause), LOAD_ACCESS);
    EXPECT(read_number(HSTATUS) & (SPV | SPVP | H_GVA), SPVP | H_GVA);
    // From HS- and U-mode SPVP stays, and GVA is clear.
    run_in(SUPERVISOR, load, HOLE, 0);
    EXPECT(read_number(HSTATUS) & (SPV | SPVP | H_GVA), SPVP);
    EXPECT(try_in(SUPERVISOR, HLV_D, HOLE), LOAD_ACCESS);
    EXPECT(me()->level, 1);
    EXPECT(read_number(HSTATUS) & (SPV | SPVP | H_GVA), SPVP | H_GVA);
    EXPECT(try_in(IN_VS, READ(HGATP), 0), VIRTUAL);
    EXPECT(me()->level, 1);
    EXPECT(read_csr(scause), VIRTUAL);
    EXPECT(read_number(VSCAUSE), 0);
}

static void to_guest(void) {
    fresh();
    write_csr(scause, 0);
    write_csr(medeleg, 1 << ILLEGAL | 1 << BREAKPOINT);
    // Both delegations are needed.
    write_number(HEDELEG, 1 << ILLEGAL | 1 << LOAD_ACCESS);
    EXPECT(run_in(IN_VS, illegal, 78, 0), 78);
    EXPECT(me()->level, 1);
    EXPECT(read_csr(scause), 0);
    // QEMU 7.2 takes the number for that of an interrupt.
    EXPECT(read_number(VSCAUSE), is_qemu() ? ILLEGAL - 1 : ILLEGAL);
    EXPECT(read_number(VSTVAL), 0xffffffff);
    EXPECT(me()->status & SPP, SPP);
    EXPECT(read_number(HSTATUS) & (SPV | SPVP | H_GVA), 0);
    EXPECT(run_in(IN_VU, illegal, 79, 0), 79);
    EXPECT(read_csr(scause), 0);
    EXPECT(me()->status & SPP, 0);
    run_in(IN_VS, load, HOLE, 0);
    EXPECT(me()->level, 3);
    EXPECT(me()->cause, LOAD_ACCESS);
    run_in(IN_VS, breakpoint, 0, 0);
    EXPECT(me()->level, 1);
    EXPECT(read_csr(scause), BREAKPOINT);
    // HS-mode's own exceptions do not go to the guest.
    run_in(SUPERVISOR, illegal, 0, 0);
    EXPECT(read_csr(scause), ILLEGAL);
}

// A handler in HS-mode for the guest's interrupts.
asm(".balign 4\nclear_pending:\n.option push\n.option norvc\ncsrw 0x645, x0\nsret\n.option pop\n");
extern char clear_pending[];

static long spin(long a, long b) {
    (void)b;
    // Somewhere in it the interrupt comes.
    for (int round = 0; round < 100; round++) asm volatile("nop" : : : "memory");
    return a;
}
static long enable(long a, long b) {
    (void)b;
    set_csr(sstatus, SIE);
    for (int round = 0; round < 100; round++) asm volatile("nop" : : : "memory");
    clear_csr(sstatus, SIE);
    return a;
}

static void interrupts(void) {
    fresh();
    static const struct { u64 pending, number; } kinds[] = {{0x400, 10}, {0x4, 2}, {0x40, 6}};
    // With Sstc QEMU 7.2 has VSTIP from the comparison only.
    for (int index = 0; index < (is_qemu() ? 2 : 3); index++) {
        u64 pending = kinds[index].pending, number = kinds[index].number;
        // Not delegated: HS-mode takes it from the guest, whatever the guest's SIE, and not from itself without SIE.
        write_number(HIDELEG, 0);
        write_csr(stvec, clear_pending);
        write_csr(mie, pending);
        write_number(HVIP, pending);
        write_csr(scause, 0);
        run_in(SUPERVISOR, spin, 0, 0);
        EXPECT(read_csr(scause), 0);
        run_in(IN_VS, spin, 0, 0);
        EXPECT(read_csr(scause), 1ul << 63 | number);
        EXPECT(read_number(HVIP), 0);
        EXPECT(read_number(HSTATUS) & (SPV | SPVP | H_GVA), SPVP);
        write_number(HVIP, pending);
        write_csr(scause, 0);
        run_in(SUPERVISOR, enable, 0, 0);
        EXPECT(read_csr(scause), 1ul << 63 | number);
        // Delegated: only the guest takes it, by its own enables, under the supervisor's number.
        write_csr(stvec, supervisor_trap);
        write_number(HIDELEG, pending);
        write_number(HVIP, pending);
        write_csr(scause, 0);
        write_number(VSCAUSE, 0);
        run_in(SUPERVISOR, enable, 0, 0);
        EXPECT(read_csr(scause) | read_number(VSCAUSE), 0);
        run_in(IN_VS, spin, 0, 0);
        EXPECT(read_number(VSCAUSE), 0);
        if (!is_qemu()) EXPECT(read_number(VSIP), pending >> 1);
        run_in(IN_VS, enable, 0, 0);
        EXPECT(read_number(VSCAUSE), 1ul << 63 | (number - 1));
        EXPECT(read_csr(scause), 0);
        // The handler cleared the guest's enable.
        EXPECT(read_csr(mie), 0);
        write_csr(mie, pending);
        write_number(VSCAUSE, 0);
        run_in(IN_VU, spin, 0, 0);
        EXPECT(read_number(VSCAUSE), 1ul << 63 | (number - 1));
        write_number(HVIP, 0);
    }
    // Vectored: four bytes for each of the guest's numbers.
    fresh();
    static u32 vector[16] __attribute__((aligned(256)));
    for (int index = 0; index < 16; index++) vector[index] = 0x10200073;    // sret
    // The entry of SSI goes on in the next one, which returns.
    vector[1] = 0x10405073;     // csrwi sie, 0
    fence_code();
    write_number(VSTVEC, (u64)vector | 1);
    write_number(HIDELEG, 4);
    write_csr(mie, 4);
    write_number(HVIP, 4);
    write_number(VSCAUSE, 0);
    run_in(IN_VU, spin, 0, 0);
    EXPECT(read_number(VSCAUSE), 1ul << 63 | 1);
    EXPECT(read_csr(mie), 0);
    // The guest raises its own software interrupt.
    fresh();
    write_number(HIDELEG, 0x444);
    EXPECT(try_in(IN_VS, WRITE(0x144), -1), NONE);
    EXPECT(read_number(HVIP), 4);
    if (!is_qemu()) {
        EXPECT(try_in(IN_VS, READ(0x144), 0), NONE);
        EXPECT(result, 2);
    }
    EXPECT(try_in(IN_VS, WRITE(0x144), 0), NONE);
    EXPECT(read_number(HVIP), 0);
    EXPECT(try_in(IN_VS, WRITE(0x104), -1), NONE);
    EXPECT(read_csr(mie), 0x444);
    write_csr(mie, 0);
    // The priorities of mip: external before software before timer.
    if (!is_qemu()) {
        write_number(VSTVEC, supervisor_trap);
        write_csr(mie, 0x444);
        write_number(HVIP, 0x444);
        u64 before = me()->traps;
        run_in(IN_VU, spin, 0, 0);
        EXPECT(me()->traps - before, 3);
        EXPECT(read_number(VSCAUSE), 1ul << 63 | 5);
    }
    // WFI in the guest ends by what is pending, taken or not.
    fresh();
    write_csr(mie, 0x40);
    write_number(HIDELEG, 0x444);
    write_number(VSTIMECMP, 0);
    EXPECT(try_in(IN_VS, WFI, 0), NONE);
    write_number(VSTIMECMP, read_csr(time) + 1000);
    EXPECT(try_in(IN_VS, WFI, 0), NONE);
    EXPECT(read_number(HIP), 0x40);
    write_number(VSTIMECMP, -1);
}

// Into the guest and back, again and again: by mret and a call to M-mode, by sret and a call to HS-mode.
long enter(long a, long b);
asm(R"(
.balign 4
enter:
    csrw    sepc, a1
    la      t0, back
    csrw    stvec, t0
    li      t0, 0x100
    csrs    sstatus, t0
    li      t0, 0x80
    csrs    0x600, t0
    mv      t6, ra
    sret
.balign 4
back:
    mv      ra, t6
    ret
)");
long counting(long a, long b);
asm(R"(
.balign 4
counting:
    addi    a0, a0, 1
    csrr    t1, sscratch
    addi    t1, t1, 1
    csrw    sscratch, t1
    li      a7, 0
    ecall
)");

static void many(void) {
    fresh();
    long count = 0;
    for (int round = 0; round < 1000; round++) count = run_in(round & 1 ? IN_VS : IN_VU, spin, count + 1, 0);
    EXPECT(count, 1000);
    write_csr(medeleg, 1 << CALL_GUEST);
    write_number(VSSCRATCH, 5);
    u64 host = read_csr(sscratch);
    for (int round = 0; round < 1000; round++) {
        count = run_in(SUPERVISOR, enter, count, (long)counting);
        EXPECT(read_csr(scause), CALL_GUEST);
        EXPECT(read_csr(sscratch), host);
    }
    EXPECT(count, 2000);
    EXPECT(read_number(VSSCRATCH), 1005);
}

int main(void) {
    open_memory();
    write_csr(mtvec, recording_trap);
    instructions();
    blocks();
    to_machine();
    to_hypervisor();
    to_guest();
    interrupts();
    many();
    return 0;
}
