// A load for saving and restoring in the middle: every hart counts with atomics, computes integers and floating point, and
// runs a timer, until the host tells hart 0 to end. Hart 0 prints the result of the first rounds, which depends on nothing
// but a whole execution; the counts of all rounds must be right, too.
#include "guest.h"

#ifndef HARTS
#define HARTS 1
#endif
#define ROUNDS 400000
#define TICK 5000 // half a millisecond

static u64 added, reserved, ready __attribute__((aligned(64)));
static u64 sums[8];
static double floats[8];
static u64 rounds[8];
static volatile int is_over;

static void work(void) {
    u64 hart = me()->id, value = 88172645463325252ul + hart, one = 1;
    double number = 1.0 + (double)hart;
    put64(MTIMECMP(hart), get64(MTIME) + TICK);
    for (u64 round = 0; round < ROUNDS || !is_over; round++) {
        if (hart == 0 && round >= ROUNDS && round % 256 == 0 && is_told_to_end()) is_over = 1;
        value ^= value << 13;
        value ^= value >> 7;
        value ^= value << 17;
        number = number * 0.75 + (double)(value >> 40);
        asm volatile("amoadd.d x0, %1, (%0)" : : "r"(&added), "r"(one) : "memory");
        asm volatile("1: lr.d t0, (%0)\naddi t0, t0, 1\nsc.d t1, t0, (%0)\nbnez t1, 1b"
            : : "r"(&reserved) : "t0", "t1", "memory");
        // The clock goes on, and reaches what was asked of it, wherever the machine is.
        if (read_csr(mip) >> 7 & 1) put64(MTIMECMP(hart), get64(MTIME) + TICK);
        if (hart == 0 && round < ROUNDS && round % (ROUNDS / 8) == 0) print(".");
        if (++rounds[hart] == ROUNDS) {
            sums[hart] = value;
            floats[hart] = number;
        }
    }
    __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
}

void secondary_main(void) {
    if (me()->id < HARTS) work();
    for (;;) asm volatile("wfi");
}

int main(void) {
    work();
    while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) < HARTS) asm volatile("pause");
    u64 all = 0;
    for (int hart = 0; hart < HARTS; hart++) all += rounds[hart];
    EXPECT(added, all);
    EXPECT(reserved, all);
    for (int hart = 0; hart < HARTS; hart++) {
        union { double number; u64 bits; } convert = { floats[hart] };
        print(" ");
        print_hex(sums[hart]);
        print(" ");
        print_hex(convert.bits);
    }
    print("\n");
    pass();
}
