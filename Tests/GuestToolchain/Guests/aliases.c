// Pages whose numbers end alike, as arrays a power of two apart have them: caches of translations that are found by the
// low bits of a page's number hold few of them at once, and must neither mix them up nor forget what was stored.
#include "guest.h"

enum { PAGES = 6, ROUNDS = 400 };
#define STRIDE 0x800000ul
#define FIRST 0x81000000ul

// Neighbouring fields, for accesses that a translator may treat as a group.
struct record { u64 a, b, c, d; u32 e; unsigned short f; u8 g; };

static struct record *record(u64 index) { return (struct record *)(FIRST + index % PAGES * STRIDE + 4096 - 256); }

static void __attribute__((noinline)) fill(struct record *to, u64 seed) {
    to->a = seed;
    to->b = seed * 3;
    to->c = ~seed;
    to->d = seed << 32;
    to->e = (u32)seed * 7;
    to->f = (unsigned short)(seed * 11);
    to->g = (u8)(seed * 13);
}

static u64 __attribute__((noinline)) sum(const struct record *of) {
    return of->a + of->b * 2 + of->c * 3 + of->d * 4 + of->e * 5ul + of->f * 6ul + of->g * 7ul;
}

static u64 expected(u64 seed) {
    return seed + seed * 3 * 2 + ~seed * 3 + (seed << 32) * 4 + (u32)((u32)seed * 7) * 5ul
        + (unsigned short)(seed * 11) * 6ul + (u8)(seed * 13) * 7ul;
}

// Groups of accesses and single ones, in pages that displace each other.
static void records(void) {
    for (u64 round = 0; round < ROUNDS; round++) {
        for (u64 index = 0; index < PAGES; index++) fill(record(index), round * PAGES + index);
        for (u64 index = 0; index < PAGES; index++) EXPECT(sum(record(index)), expected(round * PAGES + index));
    }
}

static void atomics(void) {
    for (u64 index = 0; index < PAGES; index++) record(index)->a = index;
    for (u64 round = 0; round < ROUNDS * PAGES; round++) {
        u64 old = __atomic_fetch_add(&record(round)->a, PAGES, __ATOMIC_SEQ_CST);
        EXPECT(old, round);
    }
    for (u64 index = 0; index < PAGES; index++) EXPECT(record(index)->a, ROUNDS * PAGES + index);
}

// A value that lies in two pages, one of which another page displaces.
static void crossing(void) {
    for (u64 round = 0; round < ROUNDS; round++) {
        u64 address = FIRST + round % PAGES * STRIDE + 4096 - 1 - round % 7;
        u64 value = (round & 127) * 0x0101010101010101ul;
        *(volatile u64 *)address = value;
        (void)*(volatile u64 *)(FIRST + (round + 1) % PAGES * STRIDE);
        EXPECT(*(volatile u64 *)address, value);
        EXPECT(*(volatile u8 *)(FIRST + round % PAGES * STRIDE + 4096), (u8)value);
    }
}

int main(void) {
    records();
    atomics();
    crossing();
    return 0;
}
