// The registers of the hypervisor extension: what is kept of all ones and all zeros, and who may access them (Privileged
// Architecture, chapter "H"; Smstateen, Sstc).
#include "hypervisor.h"

#define HOLDS(number, ones, zeros) do { \
    EXPECT(try_write(number, -1), NONE); EXPECT(try_read(number), ones); \
    EXPECT(try_write(number, 0), NONE); EXPECT(try_read(number), zeros); } while (0)

#define WIDTHS (10ul << 32)
#define SD (1ul << 63)

static void machine(void) {
    EXPECT(read_csr(misa) >> 7 & 1, 1);
    write_csr(mie, 0);
    HOLDS(0x304, 0xeee, 0);
    EXPECT(try_write(0x300, -1), NONE);
    u64 status = read_csr(mstatus);
    write_csr(mstatus, FS);
    EXPECT(status, SD | WIDTHS | GVA | MPV | 0x7e79aa);
    // VS-mode's interrupts never come to M-mode.
    HOLDS(0x303, 0x666, 0x444);
    HOLDS(0x302, 0xf0b7ff, 0);
    HOLDS(0x344, 0x226, 0);
    HOLDS(MTINST, -1, 0);
    HOLDS(MTVAL2, -1, 0);
    HOLDS(MSTATEEN0, 3ul << 62, 0);
    HOLDS(MSTATEEN0 + 1, 1ul << 63, 0);
    HOLDS(MSTATEEN0 + 2, 1ul << 63, 0);
    HOLDS(MSTATEEN0 + 3, 1ul << 63, 0);
}

static void hypervisor(void) {
    HOLDS(HSTATUS, 2ul << 32 | 0x7003c0, 2ul << 32);
    HOLDS(HEDELEG, 0xb1ff, 0);
    HOLDS(HIDELEG, 0x444, 0);
    HOLDS(HIE, 0x444, 0);
    write_number(HIE, 0x444);
    EXPECT(read_csr(mie), 0x444);
    // sie and sip are HS-mode's: the guest's interrupts are not in them.
    write_csr(mideleg, -1);
    EXPECT(read_csr(sie), 0);
    write_csr(sie, -1);
    EXPECT(read_csr(mie), 0x666);
    write_csr(sie, 0);
    EXPECT(read_csr(mie), 0x444);
    write_csr(mie, 0);
    HOLDS(HIP, 4, 0);
    HOLDS(HVIP, 0x444, 0);
    write_number(HVIP, 0x444);
    EXPECT(read_number(HIP), 0x444);
    EXPECT(read_csr(mip) & 0x666, 0x444);
    EXPECT(read_csr(sip), 0);
    // Of hip software writes VSSIP.
    write_number(HIP, 0);
    EXPECT(read_number(HVIP), 0x440);
    write_number(HVIP, 0);
    HOLDS(HTIMEDELTA, -1, 0);
    HOLDS(HCOUNTEREN, 0xffffffff, 0);
    HOLDS(0x607, 0, 0);
    EXPECT(try_read(0xe12), 0);
    EXPECT(try_write(0xe12, 0), ILLEGAL);
    write_number(MENVCFG, -1);
    HOLDS(HENVCFG, 7ul << 61 | 0xf1, 0);
    // What menvcfg lacks henvcfg lacks, also if it was set before.
    write_number(HENVCFG, -1);
    write_number(MENVCFG, 0);
    EXPECT(read_number(HENVCFG), 0xf1);
    HOLDS(HENVCFG, 0xf1, 0);
    write_number(MENVCFG, -1);
    HOLDS(HTVAL, -1, 0);
    HOLDS(HTINST, -1, 0);
    // An unsupported mode leaves the mode; the root is aligned to four pages.
    for (u64 mode = 0; mode < 16; mode++) {
        u64 rest = (0x3ffful << 44) | ((1ul << 44) - 4);
        write_number(HGATP, 0);
        write_number(HGATP, mode << 60 | ((1ul << 60) - 1));
        EXPECT(read_number(HGATP), (mode >= 8 && mode <= 10 ? mode << 60 : 0) | rest);
        write_number(VSATP, 0);
        write_number(VSATP, mode << 60 | ((1ul << 60) - 1));
        EXPECT(read_number(VSATP), (mode >= 8 && mode <= 10 ? mode << 60 : 0) | ((1ul << 60) - 1));
    }
    write_number(HGATP, 0);
    write_number(VSATP, 0);
    // hstateen has what mstateen has.
    write_number(MSTATEEN0, 1ul << 63);
    HOLDS(HSTATEEN0, 1ul << 63, 0);
    write_number(MSTATEEN0, 3ul << 62);
    HOLDS(HSTATEEN0, 3ul << 62, 0);
    HOLDS(HSTATEEN0 + 3, 0, 0);
    write_number(MSTATEEN0 + 3, -1);
    HOLDS(HSTATEEN0 + 3, 1ul << 63, 0);
    HOLDS(0x10c, 0, 0);
    HOLDS(0x10f, 0, 0);
}

// Opens all that can be opened.
static void open_all(void) {
    write_number(MENVCFG, -1);
    write_number(HENVCFG, -1);
    write_csr(mcounteren, -1);
    write_csr(scounteren, -1);
    write_number(HCOUNTEREN, -1);
    write_number(MSTATEEN0, -1);
    write_number(MSTATEEN0 + 1, -1);
    write_number(MSTATEEN0 + 2, -1);
    write_number(MSTATEEN0 + 3, -1);
    write_number(HSTATEEN0, -1);
    write_number(HSTATEEN0 + 1, -1);
    write_number(HSTATEEN0 + 2, -1);
    write_number(HSTATEEN0 + 3, -1);
    write_number(HSTATUS, 0);
}

static void guest(void) {
    open_all();
    HOLDS(VSSTATUS, SD | 2ul << 32 | 0xc6122, 2ul << 32);
    write_number(HIDELEG, 0x444);
    HOLDS(VSIE, 0x222, 0);
    HOLDS(VSIP, 2, 0);
    write_number(HIDELEG, 0x40);
    HOLDS(VSIE, 0x20, 0);
    write_number(HVIP, 0x444);
    HOLDS(VSIP, 0x20, 0x20);
    EXPECT(read_number(HVIP), 0x444);
    write_number(HVIP, 0);
    write_number(HIDELEG, 0);
    HOLDS(VSIE, 0, 0);
    write_number(VSTVEC, 0x1000);
    write_number(VSTVEC, -1);
    EXPECT(read_number(VSTVEC), 0x1000);
    HOLDS(VSSCRATCH, -1, 0);
    HOLDS(VSEPC, -2, 0);
    HOLDS(VSCAUSE, -1, 0);
    HOLDS(VSTVAL, -1, 0);
    HOLDS(VSTIMECMP, -1, 0);
    write_number(VSTIMECMP, -1);
    // In a guest the supervisor's registers are these.
    static const u16 pairs[][2] = {
        {0x105, VSTVEC}, {0x140, VSSCRATCH}, {0x141, VSEPC}, {0x142, VSCAUSE}, {0x143, VSTVAL}, {0x14d, VSTIMECMP},
    };
    write_number(VSTVEC, 0x100);
    write_number(VSSCRATCH, 0x200);
    write_number(VSEPC, 0x300);
    write_number(VSCAUSE, 0x400);
    write_number(VSTVAL, 0x500);
    write_number(VSTIMECMP, 0x600);
    write_csr(stvec, 0x10);
    write_csr(sscratch, 0x20);
    write_csr(sepc, 0x30);
    write_csr(scause, 0x40);
    write_csr(stval, 0x50);
    write_csr(0x14d, 0x60);
    for (u64 index = 0; index < 6; index++) {
        EXPECT(try_in(IN_VS, READ(pairs[index][0]), 0), NONE);
        EXPECT(result, 0x100 * (index + 1));
        EXPECT(try_in(SUPERVISOR, READ(pairs[index][0]), 0), NONE);
        EXPECT(result, 0x10 * (index + 1));
        EXPECT(try_in(IN_VS, WRITE(pairs[index][0]), 0x1000 * (index + 1)), NONE);
        EXPECT(try_in(SUPERVISOR, READ(pairs[index][1]), 0), NONE);
        EXPECT(result, 0x1000 * (index + 1));
        EXPECT(try_in(SUPERVISOR, READ(pairs[index][0]), 0), NONE);
        EXPECT(result, 0x10 * (index + 1));
    }
    write_number(VSTIMECMP, -1);
    write_csr(0x14d, -1);
    // satp in a guest ignores unsupported modes as a whole.
    write_number(VSATP, 0x123);
    EXPECT(try_in(IN_VS, WRITE(0x180), 5ul << 60 | 0x456), NONE);
    EXPECT(read_number(VSATP), 0x123);
    EXPECT(try_in(IN_VS, WRITE(0x180), 0x456), NONE);
    EXPECT(read_number(VSATP), 0x456);
    EXPECT(read_csr(satp), 0);
    write_number(VSATP, 0);
    // The guest's status is its own, but for the floating-point unit's state, which counts in both.
    write_number(VSSTATUS, SUM);
    EXPECT(try_in(IN_VS, READ(0x100), 0), NONE);
    EXPECT(result, 2ul << 32 | SUM);
    EXPECT(try_in(IN_VS, WRITE(0x100), -1), NONE);
    EXPECT(read_number(VSSTATUS), SD | 2ul << 32 | 0xc6122);
    EXPECT(read_csr(mstatus) & (SUM | MXR), 0);
    write_number(VSSTATUS, 0);
}

static const u16 hypervisors[] = {
    0x600, 0x602, 0x603, 0x604, 0x605, 0x606, 0x607, 0x60a, 0x60c, 0x60d, 0x60e, 0x60f, 0x643, 0x644, 0x645, 0x64a,
    0x680, 0x200, 0x204, 0x205, 0x240, 0x241, 0x242, 0x243, 0x244, 0x24d, 0x280,
};
static const u16 supervisors[] = {
    0x100, 0x104, 0x105, 0x106, 0x10a, 0x10c, 0x10d, 0x10e, 0x10f, 0x140, 0x141, 0x142, 0x143, 0x144, 0x14d, 0x180,
};
static const u16 machines[] = {0x300, 0x301, 0x302, 0x303, 0x304, 0x30a, 0x30c, 0x34a, 0x34b, 0xf14};
static const u16 absent[] = {0x612, 0x601, 0x6a0, 0x215, 0x250, 0x61a, 0x5c0};

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

static void access_by_mode(void) {
    open_all();
    for (u64 index = 0; index < COUNT(hypervisors); index++) {
        u32 number = hypervisors[index];
        EXPECT(try_in(MACHINE, READ(number), 0), NONE);
        EXPECT(try_in(SUPERVISOR, READ(number), 0), NONE);
        u64 value = result;
        EXPECT(try_in(SUPERVISOR, WRITE(number), value), NONE);
        EXPECT(try_in(USER, READ(number), 0), ILLEGAL);
        EXPECT(try_in(USER, WRITE(number), 0), ILLEGAL);
        EXPECT(try_in(IN_VS, READ(number), 0), VIRTUAL);
        EXPECT(me()->tval, READ(number));
        EXPECT(try_in(IN_VS, WRITE(number), 0), VIRTUAL);
        EXPECT(try_in(IN_VU, READ(number), 0), VIRTUAL);
        EXPECT(try_in(IN_VU, WRITE(number), 0), VIRTUAL);
    }
    // A read-only register: what HS-mode could not do either is illegal.
    EXPECT(try_in(IN_VS, READ(0xe12), 0), VIRTUAL);
    EXPECT(try_in(IN_VS, WRITE(0xe12), 0), ILLEGAL);
    for (u64 index = 0; index < COUNT(supervisors); index++) {
        u32 number = supervisors[index];
        EXPECT(try_in(SUPERVISOR, READ(number), 0), NONE);
        EXPECT(try_in(USER, READ(number), 0), ILLEGAL);
        EXPECT(try_in(IN_VS, READ(number), 0), NONE);
        u64 value = result;
        EXPECT(try_in(IN_VS, WRITE(number), value), NONE);
        EXPECT(try_in(IN_VU, READ(number), 0), VIRTUAL);
        EXPECT(try_in(IN_VU, WRITE(number), value), VIRTUAL);
    }
    for (u64 index = 0; index < COUNT(machines); index++) {
        EXPECT(try_in(SUPERVISOR, READ(machines[index]), 0), ILLEGAL);
        EXPECT(try_in(IN_VS, READ(machines[index]), 0), ILLEGAL);
        EXPECT(try_in(IN_VU, READ(machines[index]), 0), ILLEGAL);
    }
    for (u64 index = 0; index < COUNT(absent); index++) {
        EXPECT(try_in(MACHINE, READ(absent[index]), 0), ILLEGAL);
        EXPECT(try_in(SUPERVISOR, READ(absent[index]), 0), ILLEGAL);
        EXPECT(try_in(IN_VS, READ(absent[index]), 0), ILLEGAL);
        EXPECT(try_in(IN_VU, READ(absent[index]), 0), ILLEGAL);
    }
}

// What closes registers, and with which exception.
static void closed(void) {
    open_all();
    // Counters: mcounteren for all, hcounteren for guests, scounteren for users.
    static const u16 counters[] = {0xc00, 0xc01, 0xc02, 0xc03, 0xc1f};
    for (u64 index = 0; index < COUNT(counters); index++) {
        u32 read = READ(counters[index]);
        u64 bit = 1ul << (counters[index] & 31);
        EXPECT(try_in(IN_VS, read, 0), NONE);
        EXPECT(try_in(IN_VU, read, 0), NONE);
        write_csr(scounteren, ~bit);
        EXPECT(try_in(IN_VS, read, 0), NONE);
        EXPECT(try_in(IN_VU, read, 0), VIRTUAL);
        EXPECT(try_in(USER, read, 0), ILLEGAL);
        write_csr(scounteren, -1);
        write_number(HCOUNTEREN, ~bit);
        EXPECT(try_in(IN_VS, read, 0), VIRTUAL);
        EXPECT(try_in(IN_VU, read, 0), VIRTUAL);
        EXPECT(try_in(USER, read, 0), NONE);
        write_csr(mcounteren, ~bit);
        EXPECT(try_in(SUPERVISOR, read, 0), ILLEGAL);
        EXPECT(try_in(IN_VS, read, 0), ILLEGAL);
        EXPECT(try_in(IN_VU, read, 0), ILLEGAL);
        write_csr(mcounteren, -1);
        write_number(HCOUNTEREN, -1);
    }
    // The timer's comparisons.
    write_number(HCOUNTEREN, ~2ul);
    EXPECT(try_in(IN_VS, READ(0x14d), 0), VIRTUAL);
    write_number(HCOUNTEREN, -1);
    write_number(HENVCFG, ~STCE);
    EXPECT(try_in(IN_VS, READ(0x14d), 0), VIRTUAL);
    EXPECT(try_in(SUPERVISOR, READ(0x14d), 0), NONE);
    write_number(MENVCFG, ~STCE);
    EXPECT(try_in(IN_VS, READ(0x14d), 0), ILLEGAL);
    EXPECT(try_in(IN_VS, READ(VSTIMECMP), 0), ILLEGAL);
    EXPECT(try_in(SUPERVISOR, READ(VSTIMECMP), 0), ILLEGAL);
    write_number(MENVCFG, -1);
    write_csr(mcounteren, ~2ul);
    EXPECT(try_in(SUPERVISOR, READ(VSTIMECMP), 0), ILLEGAL);
    write_csr(mcounteren, -1);
    write_number(HENVCFG, -1);
    // satp: VTVM for the guest, TVM for HS-mode, which the guest does not feel.
    write_number(HSTATUS, VTVM);
    EXPECT(try_in(IN_VS, READ(0x180), 0), VIRTUAL);
    EXPECT(try_in(IN_VS, WRITE(0x180), 0), VIRTUAL);
    EXPECT(try_in(SUPERVISOR, READ(0x180), 0), NONE);
    write_number(HSTATUS, 0);
    EXPECT(try_in(IN_VS | TVM, READ(0x180), 0), NONE);
    EXPECT(try_in(SUPERVISOR | TVM, READ(HGATP), 0), ILLEGAL);
    EXPECT(try_in(SUPERVISOR | TVM, READ(VSATP), 0), NONE);
    EXPECT(try_in(IN_VS | TVM, READ(HGATP), 0), VIRTUAL);
    clear_csr(mstatus, TVM);
    // State enables.
    write_number(HSTATEEN0, 1ul << 63);
    EXPECT(try_in(IN_VS, READ(0x10a), 0), VIRTUAL);
    EXPECT(try_in(IN_VS, READ(0x10c), 0), NONE);
    write_number(HSTATEEN0, 1ul << 62);
    EXPECT(try_in(IN_VS, READ(0x10a), 0), NONE);
    EXPECT(try_in(IN_VS, READ(0x10c), 0), VIRTUAL);
    write_number(HSTATEEN0, -1);
    write_number(MSTATEEN0, 1ul << 63);
    EXPECT(try_in(SUPERVISOR, READ(0x10a), 0), ILLEGAL);
    EXPECT(try_in(SUPERVISOR, READ(HENVCFG), 0), ILLEGAL);
    EXPECT(try_in(IN_VS, READ(0x10a), 0), ILLEGAL);
    EXPECT(try_in(IN_VS, READ(HENVCFG), 0), ILLEGAL);
    write_number(MSTATEEN0, 1ul << 62);
    EXPECT(try_in(SUPERVISOR, READ(0x10c), 0), ILLEGAL);
    EXPECT(try_in(SUPERVISOR, READ(HSTATEEN0), 0), ILLEGAL);
    EXPECT(try_in(IN_VS, READ(0x10c), 0), ILLEGAL);
    EXPECT(try_in(SUPERVISOR, READ(0x10d), 0), NONE);
    write_number(MSTATEEN0, -1);
}

// The guest's time, and the comparison with it.
static void time(void) {
    open_all();
    write_number(HTIMEDELTA, 1ul << 40);
    u64 before = read_csr(time);
    EXPECT(try_in(IN_VS, READ(0xc01), 0), NONE);
    u64 after = read_csr(time);
    EXPECT(result - before >= 1ul << 40 && result - after <= 1ul << 40, 1);
    EXPECT(try_in(IN_VU, READ(0xc01), 0), NONE);
    EXPECT(result - before >= 1ul << 40, 1);
    write_number(VSTIMECMP, (1ul << 40) - 1);
    EXPECT(read_number(HIP), 0x40);
    write_number(VSTIMECMP, 1ul << 41);
    EXPECT(read_number(HIP), 0);
    write_number(HVIP, 0x40);
    EXPECT(read_number(HIP), 0x40);
    write_number(HVIP, 0);
    write_number(VSTIMECMP, 0);
    write_number(HENVCFG, 0);
    EXPECT(read_number(HIP), 0);
    write_number(HTIMEDELTA, 0);
    write_number(VSTIMECMP, -1);
}

int main(void) {
    // After a reset nothing of it is in use.
    EXPECT(read_number(HSTATUS), 2ul << 32);
    EXPECT(read_number(HGATP) | read_number(VSATP) | read_number(HVIP) | read_number(MSTATEEN0), 0);
    EXPECT(read_csr(mideleg), 0x444);
    open_memory();
    machine();
    hypervisor();
    guest();
    access_by_mode();
    closed();
    time();
    return 0;
}
