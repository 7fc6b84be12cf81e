// Cache-block operations as menvcfg and senvcfg allow them, and the faults they take (CMO 1.0.1, 2.5 to 2.7).
#include "guest.h"

#define CBIE_FLUSH (1ul << 4)
#define CBIE_INVAL (3ul << 4)
#define CBCFE (1ul << 6)
#define CBZE (1ul << 7)

static u64 block[8] __attribute__((aligned(64)));

#define OPERATION(name, number) \
    static long name(long address, long b) { \
        (void)b; \
        me()->cause = NONE; \
        asm volatile(".insn i 0x0f, 2, x0, %0, " #number : : "r"(address) : "memory"); \
        return caught(); \
    }
OPERATION(inval, 0)
OPERATION(clean, 1)
OPERATION(flush, 2)
OPERATION(zero, 4)

#define AT(status, operation) run_at(status, operation, (long)block, 0)

int main(void) {
    open_memory();
    if (zero((long)block, 0) == ILLEGAL) {
        SKIP("cache-block operations");
        return 0;
    }
    // M-mode needs no permission, S-mode menvcfg's, U-mode both.
    write_csr(0x30a, 0);
    write_csr(0x10a, 0);
    EXPECT(inval((long)block, 0), NONE);
    EXPECT(clean((long)block, 0), NONE);
    EXPECT(AT(SUPERVISOR, zero), ILLEGAL);
    EXPECT(AT(SUPERVISOR, clean), ILLEGAL);
    EXPECT(AT(SUPERVISOR, flush), ILLEGAL);
    EXPECT(AT(SUPERVISOR, inval), ILLEGAL);
    write_csr(0x30a, CBZE | CBCFE | CBIE_INVAL);
    EXPECT(read_csr(0x30a), CBZE | CBCFE | CBIE_INVAL);
    EXPECT(AT(SUPERVISOR, zero), NONE);
    EXPECT(AT(SUPERVISOR, clean), NONE);
    EXPECT(AT(SUPERVISOR, flush), NONE);
    EXPECT(AT(SUPERVISOR, inval), NONE);
    EXPECT(AT(USER, zero), ILLEGAL);
    EXPECT(AT(USER, clean), ILLEGAL);
    EXPECT(AT(USER, inval), ILLEGAL);
    write_csr(0x10a, CBZE | CBCFE | CBIE_FLUSH);
    EXPECT(AT(USER, zero), NONE);
    EXPECT(AT(USER, flush), NONE);
    EXPECT(AT(USER, inval), NONE);
    // What is allowed loses nothing: invalidation keeps what was stored.
    block[3] = 7;
    EXPECT(AT(USER, inval), NONE);
    EXPECT(block[3], 7);
    EXPECT(run_at(USER, zero, (long)block + 37, 0), NONE);
    for (int index = 0; index < 8; index++) EXPECT(block[index], 0);
    // All of them fault as stores do, with the operand as it was.
    EXPECT(zero(HOLE + 5, 0), STORE_ACCESS);
    EXPECT(me()->tval, HOLE + 5);
    // PMP: zeroing needs to write, managing needs any access.
    write_csr(pmpaddr0, ((u64)block | 31) >> 2);
    write_csr(pmpcfg0, 3 << 3 | 1);
    fence_all();
    EXPECT(AT(SUPERVISOR, zero), STORE_ACCESS);
    EXPECT(me()->tval, (u64)block);
    EXPECT(AT(SUPERVISOR, clean), NONE);
    write_csr(pmpcfg0, 3 << 3);
    fence_all();
    EXPECT(AT(SUPERVISOR, clean), STORE_ACCESS);
    return 0;
}
