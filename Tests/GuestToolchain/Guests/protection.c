// Physical memory protection (Privileged Architecture 3.7).
#include "guest.h"

enum { R = 1, W = 2, X = 4, TOR = 1 << 3, NA4 = 2 << 3, NAPOT = 3 << 3, L = 1 << 7 };
static u8 data[4 * 4096] __attribute__((aligned(4096)));

static void configure(int entry, u64 flags) {
    u64 shift = 8 * (entry & 7), mask = 0xfful << shift;
    if (entry < 8) write_csr(pmpcfg0, (read_csr(pmpcfg0) & ~mask) | flags << shift);
    else write_csr(pmpcfg2, (read_csr(pmpcfg2) & ~mask) | flags << shift);
    fence_all();
}
static long load(long address, long b) { (void)b; load_32(address); return caught(); }
static long load_wide(long address, long b) { (void)b; load_64(address); return caught(); }
static long store(long address, long b) { (void)b; return store_32(address, 0x1234); }
static long jump(long address, long b) { (void)b; return jump_to(address); }
#define LOAD(address) run_at(SUPERVISOR, load, (long)(address), 0)
#define LOAD64(address) run_at(SUPERVISOR, load_wide, (long)(address), 0)
#define STORE(address) run_at(USER, store, (long)(address), 0)
#define JUMP(address) run_at(SUPERVISOR, jump, (long)(address), 0)

int main(void) {
    // Everything off: M-mode may all, the others nothing; entry 15 opens the rest.
    EXPECT(read_csr(pmpcfg0), 0);
    open_memory();
    EXPECT(LOAD(data), NONE);
    // NA4: four bytes, and an access that is not wholly inside fails.
    write_csr(pmpaddr0, (u64)data >> 2);
    configure(0, NA4 | R);
    EXPECT(LOAD(data), NONE);
    EXPECT(STORE(data), STORE_ACCESS);
    EXPECT(me()->tval, data);
    EXPECT(STORE(data + 4), NONE);
    EXPECT(LOAD64(data), LOAD_ACCESS);
    EXPECT(LOAD64(data + 8), NONE);
    EXPECT(LOAD(data + 2), LOAD_ACCESS);
    // M-mode does not feel it while it is not locked.
    EXPECT(store_32((u64)data, 1), NONE);
    // NAPOT of 8, 64 and 4096 bytes.
    for (u64 size = 8; size <= 4096; size *= 8) {
        configure(0, 0);
        write_csr(pmpaddr0, ((u64)data | (size / 2 - 1)) >> 2);
        configure(0, NAPOT | R);
        EXPECT(STORE(data), STORE_ACCESS);
        EXPECT(STORE(data + size - 4), STORE_ACCESS);
        EXPECT(LOAD(data + size - 4), NONE);
        EXPECT(STORE(data + size), NONE);
    }
    // TOR: from the address before up to, without, its own; empty when they are the wrong way round.
    configure(0, 0);
    write_csr(pmpaddr0, ((u64)data + 16) >> 2);
    write_csr(pmpaddr1, ((u64)data + 32) >> 2);
    configure(1, TOR | R);
    EXPECT(STORE(data + 12), NONE);
    EXPECT(STORE(data + 16), STORE_ACCESS);
    EXPECT(STORE(data + 28), STORE_ACCESS);
    EXPECT(STORE(data + 32), NONE);
    EXPECT(STORE(data + 14), STORE_ACCESS);
    EXPECT(STORE(data + 30), STORE_ACCESS);
    write_csr(pmpaddr0, ((u64)data + 64) >> 2);
    fence_all();
    // QEMU 7.2 looks at the bottom of a range only when its own entry is written.
    if (is_qemu()) configure(1, TOR | R);
    EXPECT(STORE(data + 16), NONE);
    // The lowest entry that matches decides, whatever the others say.
    write_csr(pmpaddr0, (u64)data >> 2);
    configure(0, NA4 | R | W);
    write_csr(pmpaddr1, ((u64)data | 31) >> 2);
    configure(1, NAPOT);
    EXPECT(STORE(data), NONE);
    EXPECT(STORE(data + 4), STORE_ACCESS);
    EXPECT(LOAD(data + 4), LOAD_ACCESS);
    configure(0, 0);
    configure(1, 0);
    // Execution: the border inside a page counts.
    volatile u32 *code = (volatile u32 *)(data + 4096);
    for (int index = 0; index < 64; index++) code[index] = 0x13;  // nop
    code[64] = 0x8067;                                            // ret
    fence_code();
    EXPECT(JUMP(data + 4096), NONE);
    write_csr(pmpaddr0, ((u64)data + 4096 + 64) >> 2);
    configure(0, NA4 | R | W);
    EXPECT(JUMP(data + 4096 + 64), FETCH_ACCESS);
    // QEMU 7.2 looks only where a block of instructions begins.
    if (!is_qemu()) EXPECT(JUMP(data + 4096), FETCH_ACCESS);
    EXPECT(me()->epc, data + 4096 + 64);
    EXPECT(me()->tval, data + 4096 + 64);
    EXPECT(JUMP(data + 4096 + 68), NONE);
    configure(0, 0);
    EXPECT(JUMP(data + 4096), NONE);
    // Page tables are read as S-mode reads memory, whoever asks.
    static u64 table[512] __attribute__((aligned(4096)));
    table[2] = 0x80000ul << 10 | 0xcf;
    write_csr(satp, 8ul << 60 | (u64)table >> 12);
    fence_all();
    EXPECT(LOAD(data), NONE);
    write_csr(pmpaddr0, ((u64)table | 2047) >> 2);
    configure(0, NAPOT);
    u64 mprv = MPRV | SUPERVISOR, value;
    me()->cause = NONE;
    asm volatile("csrs mstatus, %2\nlwu %0, 0(%1)" : "=r"(value) : "r"(data), "r"(mprv) : "memory");
    clear_csr(mstatus, MPRV | MPP);
    EXPECT(caught(), LOAD_ACCESS);
    EXPECT(me()->tval, data);
    configure(0, 0);
    write_csr(satp, 0);
    fence_all();
    // W without R is reserved and must not become W; bits 5 and 6 are zero.
    configure(2, W);
    EXPECT(read_csr(pmpcfg0) >> 16 & 0xff & (R | W), is_qemu() ? read_csr(pmpcfg0) >> 16 & (R | W) : 0);
    configure(2, 0);
    configure(2, 0x60);
    EXPECT(read_csr(pmpcfg0) >> 16 & 0x60, is_qemu() ? read_csr(pmpcfg0) >> 16 & 0x60 : 0);
    configure(2, 0);
    write_csr(pmpaddr2, -1);
    if (!is_qemu()) EXPECT(read_csr(pmpaddr2), (1ul << 54) - 1);
    // Locked: it holds for M-mode, and neither it nor the bottom of its range can be written.
    write_csr(pmpaddr0, ((u64)data + 8192) >> 2);
    write_csr(pmpaddr1, ((u64)data + 8192 + 64) >> 2);
    configure(1, TOR | R | L);
    EXPECT(store_32((u64)data + 8192, 1), STORE_ACCESS);
    load_32((u64)data + 8192);
    EXPECT(caught(), NONE);
    EXPECT(store_32((u64)data + 8192 + 64, 1), NONE);
    configure(1, 0);
    EXPECT(read_csr(pmpcfg0) >> 8 & 0xff, TOR | R | L);
    write_csr(pmpaddr1, 0);
    EXPECT(read_csr(pmpaddr1), ((u64)data + 8192 + 64) >> 2);
    write_csr(pmpaddr0, 0);
    EXPECT(read_csr(pmpaddr0), ((u64)data + 8192) >> 2);
    return 0;
}
