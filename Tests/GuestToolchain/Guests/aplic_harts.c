// Interrupts between harts by an APLIC with direct delivery: each hart waits for the source that is its own with WFI, and answers by a source of
// hart 0. None is lost. With ENDLESS until the host says that it is enough.
#include "aplic.h"

#ifndef ROUNDS
#define ROUNDS 2000
#endif
enum { MEI = 11 };
// Sources that wake a hart, and that it answers with.
#define CALL(hart) (20 + (hart))
#define ANSWER(hart) (30 + (hart))

static volatile u64 ready;
static volatile u64 answers[HARTS];

// The next source, with interrupts off.
static u64 receive(u64 hart) {
    for (;;) {
        u32 top = get32(IDC(APLIC_M, hart) + CLAIMI);
        if (top) return top >> 16;
        asm volatile("wfi");
    }
}

static void open(u64 hart) {
    put32(IDC(APLIC_M, hart) + ITHRESHOLD, 0);
    put32(IDC(APLIC_M, hart) + IDELIVERY, 1);
    write_csr(mie, BIT(MEI));
}

static void attach(u64 source, u64 hart, u64 priority) {
    put32(APLIC_M + SOURCE(source), 1);
    put32(APLIC_M + TARGET(source), hart << 18 | priority);
    put32(APLIC_M + SETIENUM, source);
}

void secondary_main(void) {
    u64 id = me()->id;
    if (id >= HARTS) for (;;) asm volatile("wfi");
    open(id);
    __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
    for (;;) {
        if (receive(id) == CALL(id)) answers[id]++;
        put32(APLIC_M + SETIPNUM, ANSWER(id));
    }
}

int main(void) {
    if (is_qemu()) forget(APLIC_M);
    open(0);
    put32(APLIC_M, 1 << 8);
    for (u64 hart = 1; hart < HARTS; hart++) attach(CALL(hart), hart, 1), attach(ANSWER(hart), 0, 8 - hart);
    while (ready != HARTS - 1) {}
    u64 round = 0;
#ifdef ENDLESS
    while (!is_told_to_end()) {
#else
    while (round < ROUNDS) {
#endif
        round++;
        for (u64 hart = 1; hart < HARTS; hart++) put32(APLIC_M + SETIPNUM, CALL(hart));
        u64 missing = (1ul << HARTS) - 2;
        while (missing) missing &= ~(1ul << (receive(0) - ANSWER(0)));
        for (u64 hart = 1; hart < HARTS; hart++) EXPECT(answers[hart], round);
    }
#ifdef ENDLESS
    print("every interrupt arrived\n");
#else
    report("rounds", round);
#endif
    return 0;
}
