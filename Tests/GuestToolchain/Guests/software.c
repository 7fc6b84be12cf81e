// SSWI: writing 1 to a hart's SETSSIP raises its supervisor software interrupt, once (ACLINT 4).
#include "guest.h"

#define HARTS 4
#define SETSSIP(hart) (0x2f00000ul + 4 * (hart))
static u64 woken[HARTS], finished;

static void wait_for_interrupt(void) {
    while (!(read_csr(mip) & 2)) asm volatile("wfi");
    clear_csr(mip, 2);
    EXPECT(read_csr(mip) & 2, 0);
    woken[me()->id]++;
}

static void ring(void) {
    write_csr(mie, 2);
    for (int round = 0; round < 100; round++) {
        if (me()->id == 0) put32(SETSSIP(1), 1);
        wait_for_interrupt();
        if (me()->id != 0) put32(SETSSIP((me()->id + 1) % HARTS), 1);
    }
    __atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
}

void secondary_main(void) {
    ring();
    for (;;) asm volatile("wfi");
}

int main(void) {
    // A write of 0 does nothing, and the register reads 0.
    put32(SETSSIP(0), 0);
    EXPECT(read_csr(mip) & 2, 0);
    put32(SETSSIP(0), -2u);
    EXPECT(read_csr(mip) & 2, 0);
    put32(SETSSIP(0), 1);
    EXPECT(get32(SETSSIP(0)), 0);
    EXPECT(read_csr(mip) & 2, 2);
    clear_csr(mip, 2);
    ring();
    while (__atomic_load_n(&finished, __ATOMIC_SEQ_CST) < HARTS) asm volatile("pause");
    for (int hart = 0; hart < HARTS; hart++) EXPECT(woken[hart], 100);
    return 0;
}
