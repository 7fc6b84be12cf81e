// Every register of M- and S-mode with all ones and all zeros written to it, and what is left of them: the WARL rules for
// this hart's extensions (Privileged Architecture 3.1, 10.1). RV64 with A, C, D, F, I, M, S, U, 16 PMP entries, and Sstc,
// Svadu, Svpbmt, Zicbom, Zicboz.
#include "guest.h"

#define HOLDS(number, ones, zeros) do { \
    EXPECT(try_write(number, -1), NONE); EXPECT(try_read(number), ones); \
    EXPECT(try_write(number, 0), NONE); EXPECT(try_read(number), zeros); } while (0)
#define READ_ONLY(number, value) do { \
    EXPECT(try_read(number), value); EXPECT(caught(), NONE); EXPECT(try_write(number, -1), ILLEGAL); } while (0)
#define ABSENT(number) do { (void)try_read(number); EXPECT(caught(), ILLEGAL); } while (0)

#define WIDTHS (10ul << 32)
#define SD (1ul << 63)
#define PMP_ONES 0x9f9f9f9f9f9f9f9ful
#define ADDRESS_ONES ((1ul << 54) - 1)

static void machine(void) {
    write_csr(mie, 0);
    HOLDS(0x304, 0xaaa, 0);
    write_csr(mie, 0);
    EXPECT(try_write(0x300, -1), NONE);
    u64 status = read_csr(mstatus);
    write_csr(mstatus, FS);
    EXPECT(status, SD | WIDTHS | 0x7e79aa);
    write_csr(mstatus, 0);
    EXPECT(read_csr(mstatus), WIDTHS);
    write_csr(mstatus, FS);
    HOLDS(0x301, 2ul << 62 | 0x14112d, 2ul << 62 | 0x14112d);
    HOLDS(0x302, 0xb3ff, 0);
    HOLDS(0x303, 0x222, 0);
    HOLDS(0x306, 0xffffffff, 0);
    HOLDS(0x30a, 7ul << 61 | 0xf1, 0);
    HOLDS(0x320, 0xfffffffd, 0);
    HOLDS(0x341, -2, 0);
    HOLDS(0x342, -1, 0);
    HOLDS(0x343, -1, 0);
    // Of mip software holds SSIP, STIP and SEIP; with Sstc in use STIP is the comparison's.
    HOLDS(0x344, 0x222, 0);
    write_csr(0x30a, 1ul << 63);
    write_csr(0x14d, -1);
    HOLDS(0x344, 0x202, 0);
    write_csr(0x30a, 0);
    // Mode 2 and 3 are reserved, and leave a vector as it was; the base is a multiple of 4.
    u64 vector = read_csr(mtvec);
    write_csr(mtvec, -1);
    EXPECT(read_csr(mtvec), vector);
    write_csr(mtvec, ~2ul);
    u64 found = read_csr(mtvec);
    write_csr(mtvec, vector);
    EXPECT(found, -3ul);
    // mscratch is the handler's.
    write_csr(mscratch, -1);
    found = read_csr(mscratch);
    write_csr(mscratch, me());
    EXPECT(found, -1ul);
    READ_ONLY(0xf11, 0);
    READ_ONLY(0xf12, 0);
    READ_ONLY(0xf13, 0);
    READ_ONLY(0xf14, 0);
    READ_ONLY(0xf15, 0);
}

static void supervisor(void) {
    // Returns from traps have left MPIE.
    write_csr(mstatus, FS);
    EXPECT(try_write(0x100, -1), NONE);
    u64 status = read_csr(sstatus), all = read_csr(mstatus);
    write_csr(mstatus, FS);
    EXPECT(status, SD | 2ul << 32 | 0xc6122);
    EXPECT(all, SD | WIDTHS | 0xc6122);
    write_csr(mstatus, FS | MPIE | MPP | TSR);
    write_csr(sstatus, 0);
    EXPECT(read_csr(mstatus), WIDTHS | MPIE | MPP | TSR);
    write_csr(mstatus, FS);
    // sie and sip reach what is delegated, and of sip software may set SSIP.
    write_csr(mideleg, 0x22);
    HOLDS(0x104, 0x22, 0);
    EXPECT(read_csr(mie), 0);
    HOLDS(0x144, 2, 0);
    write_csr(mideleg, 0);
    HOLDS(0x104, 0, 0);
    HOLDS(0x144, 0, 0);
    write_csr(stvec, 0x1000);
    write_csr(stvec, -1);
    EXPECT(read_csr(stvec), 0x1000);
    HOLDS(0x106, 0xffffffff, 0);
    HOLDS(0x10a, 0xf1, 0);
    HOLDS(0x140, -1, 0);
    HOLDS(0x141, -2, 0);
    HOLDS(0x142, -1, 0);
    HOLDS(0x143, -1, 0);
    HOLDS(0x14d, -1, 0);
    // CBIE 2 is reserved, and leaves the field as it was.
    write_csr(0x10a, 0x10);
    write_csr(0x10a, 0x20);
    EXPECT(read_csr(0x10a), 0x10);
    write_csr(0x10a, 0);
    // A reserved mode leaves all of satp; the others keep 16 bits of ASID and 44 of page number.
    write_csr(satp, 0x0ul);
    for (u64 mode = 0; mode < 16; mode++) {
        u64 value = mode << 60 | ~(15ul << 60);
        write_csr(satp, value);
        EXPECT(read_csr(satp), mode == 0 || (mode >= 8 && mode <= 10) ? value : 0);
        write_csr(satp, 0);
    }
}

static void counters_and_floats(void) {
    HOLDS(0x001, 0x1f, 0);
    HOLDS(0x002, 7, 0);
    HOLDS(0x003, 0xff, 0);
    // Standing still, the two that count hold anything; the others are constant.
    write_csr(mcountinhibit, -1);
    HOLDS(0xb00, -1, 0);
    HOLDS(0xb02, -1, 0);
    write_csr(mcountinhibit, 0);
    HOLDS(0xb03, 0, 0);
    HOLDS(0xb1f, 0, 0);
    HOLDS(0x323, 0, 0);
    HOLDS(0x33f, 0, 0);
    READ_ONLY(0xc03, 0);
    READ_ONLY(0xc1f, 0);
    // Registers of other extensions, of RV32 and of nobody.
    ABSENT(0x008);
    ABSENT(0x30c);
    ABSENT(0x310);
    ABSENT(0x3a1);
    ABSENT(0x5c0);
    ABSENT(0x600);
    ABSENT(0x747);
    ABSENT(0xb01);
    ABSENT(0xb80);
    ABSENT(0xc80);
}

// Last: all ones are locked until a reset.
static void protection(void) {
    HOLDS(0x3b0, ADDRESS_ONES, 0);
    HOLDS(0x3bf, ADDRESS_ONES, 0);
    HOLDS(0x3ba, ADDRESS_ONES, 0);
    write_csr(pmpaddr0, -1);
    // R without W is kept, W without R is reserved and leaves the byte.
    write_csr(pmpcfg0, 0x18);
    write_csr(pmpcfg0, 0x1a);
    EXPECT(read_csr(pmpcfg0) & 0x1a, 0x18);
    write_csr(pmpcfg0, 0x1d);
    EXPECT(read_csr(pmpcfg0), 0x1d);
    for (int locked = 0; locked < 2; locked++) {
        write_csr(pmpcfg0, -1);
        EXPECT(read_csr(pmpcfg0), PMP_ONES);
    }
    write_csr(pmpcfg0, 0);
    EXPECT(read_csr(pmpcfg0), PMP_ONES);
    write_csr(pmpaddr0, 0);
    EXPECT(read_csr(pmpaddr0), ADDRESS_ONES);
    write_csr(pmpcfg2, -1);
    EXPECT(read_csr(pmpcfg2), PMP_ONES);
}

int main(void) {
    machine();
    supervisor();
    counters_and_floats();
    protection();
    return 0;
}
