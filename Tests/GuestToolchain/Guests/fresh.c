// The hart after reset, before any firmware: translation sets A and D bits, as systems made for QEMU's `virt` without
// firmware rely on (its menvcfg has ADUE set).
#include "guest.h"

enum { V = 1, R = 2, W = 4, X = 8, A = 64, D = 128 };
static volatile u64 table[512] __attribute__((aligned(4096)));
static volatile u64 word = 77;

static long touch(long address, long value) {
    if (load_64((u64)address) != 77) return 1;
    return (long)store_64((u64)address, (u64)value) == NONE ? 0 : 2;
}

int main(void) {
    if (!is_qemu()) EXPECT(read_csr(0x30a), 3ul << 61);
    EXPECT(read_csr(satp) | read_csr(medeleg) | read_csr(mideleg) | read_csr(mie), 0);
    EXPECT(read_csr(mcounteren) | read_csr(scounteren) | read_csr(stvec), 0);
    EXPECT(read_csr(mstatus) & (MPRV | SIE | MIE), 0);
    open_memory();
    u64 page = (u64)&word >> 30;
    table[2] = 0x80000000ul >> 12 << 10 | V | R | W | X;
    EXPECT(page, 2);
    write_csr(satp, 8ul << 60 | (u64)table >> 12);
    fence_all();
    EXPECT(run_at(SUPERVISOR, touch, (long)&word, 78), 0);
    EXPECT(word, 78);
    EXPECT(table[2] & (A | D), A | D);
    return 0;
}
