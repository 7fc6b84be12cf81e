// Several harts: atomics, reservations, message passing, store buffering, interrupts from one to another.
#include "guest.h"

#define HARTS 4
#define ROUNDS 20000
static u64 added, reserved, arrived, finished __attribute__((aligned(64)));
static u32 words[16] __attribute__((aligned(64)));
static u64 message __attribute__((aligned(64))), flag __attribute__((aligned(64)));
static u64 left __attribute__((aligned(64))), right __attribute__((aligned(64)));
static u64 seen_left, seen_right, both_zero;
static u64 woken[8];

static void barrier(void) {
    // Sense is the round: everybody waits until all have come.
    u64 ticket = __atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
    u64 goal = (ticket + HARTS - 1) / HARTS * HARTS;
    while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < goal) asm volatile("pause");
}

static void count(void) {
    u64 one = 1;
    for (int round = 0; round < ROUNDS; round++) {
        asm volatile("amoadd.d x0, %1, (%0)" : : "r"(&added), "r"(one) : "memory");
        asm volatile("1: lr.d t0, (%0)\naddi t0, t0, 1\nsc.d t1, t0, (%0)\nbnez t1, 1b"
            : : "r"(&reserved) : "t0", "t1", "memory");
        // Neighbours in one doubleword do not disturb each other.
        asm volatile("1: lr.w t0, (%0)\naddi t0, t0, 1\nsc.w t1, t0, (%0)\nbnez t1, 1b"
            : : "r"(&words[me()->id]) : "t0", "t1", "memory");
    }
}

static void pass_messages(void) {
    for (u64 round = 1; round <= ROUNDS / 4; round++) {
        if (me()->id == 0) {
            __atomic_store_n(&message, round * 3, __ATOMIC_RELAXED);
            asm volatile("fence w, w" : : : "memory");
            __atomic_store_n(&flag, round, __ATOMIC_RELAXED);
            while (__atomic_load_n(&flag, __ATOMIC_ACQUIRE) != 0) asm volatile("pause");
        } else if (me()->id == 1) {
            while (__atomic_load_n(&flag, __ATOMIC_RELAXED) != round) asm volatile("pause");
            asm volatile("fence r, r" : : : "memory");
            EXPECT(__atomic_load_n(&message, __ATOMIC_RELAXED), round * 3);
            __atomic_store_n(&flag, 0, __ATOMIC_RELEASE);
        }
    }
}

// With fences between, two harts never both miss the other's store.
static void buffer_stores(void) {
    for (u64 round = 1; round <= 2000; round++) {
        barrier();
        if (me()->id == 0) {
            __atomic_store_n(&left, round, __ATOMIC_RELAXED);
            asm volatile("fence rw, rw" : : : "memory");
            seen_right = __atomic_load_n(&right, __ATOMIC_RELAXED);
        } else if (me()->id == 1) {
            __atomic_store_n(&right, round, __ATOMIC_RELAXED);
            asm volatile("fence rw, rw" : : : "memory");
            seen_left = __atomic_load_n(&left, __ATOMIC_RELAXED);
        }
        barrier();
        if (me()->id == 0 && seen_right != round && seen_left != round) both_zero++;
    }
}

// A ring of software interrupts that ends where it began.
static void wait_for_interrupt(void) {
    while (!(read_csr(mip) & 8)) asm volatile("wfi");
    put32(MSIP(me()->id), 0);
    while (read_csr(mip) & 8) asm volatile("pause");
}
static void ring(void) {
    set_csr(mie, 8);
    for (int round = 0; round < 200; round++) {
        if (me()->id == 0) {
            put32(MSIP(1), 1);
            wait_for_interrupt();
        } else {
            wait_for_interrupt();
            woken[me()->id]++;
            put32(MSIP((me()->id + 1) % HARTS), 1);
        }
    }
}

static void work(void) {
    barrier();
    count();
    barrier();
    pass_messages();
    barrier();
    buffer_stores();
    barrier();
    ring();
    __atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
}

void secondary_main(void) {
    work();
    for (;;) asm volatile("wfi");
}

int main(void) {
    work();
    while (__atomic_load_n(&finished, __ATOMIC_SEQ_CST) < HARTS) asm volatile("pause");
    EXPECT(added, HARTS * ROUNDS);
    EXPECT(reserved, HARTS * ROUNDS);
    for (int hart = 0; hart < HARTS; hart++) EXPECT(words[hart], ROUNDS);
    EXPECT(both_zero, 0);
    for (int hart = 1; hart < HARTS; hart++) EXPECT(woken[hart], 200);
    return 0;
}
