// Messages between harts, each of which waits for them with WFI, and from the APLIC: none is lost. With ENDLESS until the host says that it is
// enough.
#include "aia.h"

#ifndef ROUNDS
#define ROUNDS 2000
#endif
enum { MEI = 11 };
// At machine level a page for each hart.
#define FILE_OF(hart) (IMSIC_M + 0x1000ul * (hart))

static void open_file(void) {
    for (int k = 0; k < 8; k += 2) put_m(EIP + k, 0), put_m(EIE + k, 0);
    put_m(EIE, -1);
    put_m(EITHRESHOLD, 0);
    put_m(EIDELIVERY, 1);
    write_csr(mie, BIT(MEI));
}

static volatile u64 ready;
static volatile u64 answers[HARTS];

// The next message, with interrupts off.
static u64 receive(void) {
    for (;;) {
        u64 top = claim(MTOPEI);
        if (top) return NUMBER(top);
        asm volatile("wfi");
    }
}

void secondary_main(void) {
    u64 id = me()->id;
    if (id >= HARTS) for (;;) asm volatile("wfi");
    open_file();
    __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
    for (;;) {
        u64 message = receive();
        answers[id] += message;
        put32(FILE_OF(0), 10 + id);
    }
}

int main(void) {
    open_file();
    while (ready != HARTS - 1) {}
    // A source without a wire, for hart 0.
    put32(APLIC_M + 0x1bc0, IMSIC_M >> 12);
    put32(APLIC_M + 0x1bc4, 3 << 12);
    put32(APLIC_M, 1 << 8);
    put32(APLIC_M + SOURCE(20), 1);
    put32(APLIC_M + TARGET(20), 10);
    put32(APLIC_M + SETIENUM, 20);
    u64 sum = 0;
#ifdef ENDLESS
    for (u64 round = 0; !is_told_to_end(); round++) {
#else
    for (u64 round = 0; round < ROUNDS; round++) {
#endif
        u64 message = 1 + round % 255 % 63;
        sum += message;
        for (u64 hart = 1; hart < HARTS; hart++) put32(FILE_OF(hart), message);
        put32(APLIC_M + SETIPNUM, 20);
        u64 missing = (1ul << HARTS) - 1;
        while (missing) missing &= ~(1ul << (receive() - 10));
        for (u64 hart = 1; hart < HARTS; hart++) EXPECT(answers[hart], sum);
    }
#ifdef ENDLESS
    print("every message arrived\n");
#else
    report("sum", sum);
#endif
    return 0;
}
