// The first partition's queue for transmission never ends: its second hart refills what its first one has notified, and the first one
// counts. The second partition's hart counts, sends itself messages, sets timers, and reports.
#define ENTRIES 256
#include "card.h"

static volatile u64 loops;

// Frames that are refused, because their source is not this guest's.
void second(void) {
    for (;;) {
        transmit_queue.available.index = (u16)(transmit_queue.used.index + ENTRIES);
        fence();
    }
}

static void refill(void) {
    open_card();
    for (u16 entry = 0; entry < ENTRIES; entry++) {
        describe(&transmit_queue, entry, outbox, 12 + 1500, 0, 0);
        transmit_queue.available.ring[entry] = entry;
    }
    sbi(HSM, 0, 1, (u64)start_second, 0, 0);
    while (transmit_queue.available.index == 0) { }
    u64 start = now();
    set(CARD + 0x50, 1);
    u16 before = transmit_queue.used.index;
    // At least three seconds, in which the other partition counts.
    while (now() - start < 30000000 || loops < 10000 || transmit_queue.used.index == before) loops++;
    say("served, the hart is free\n");
    off();
}

static void count(void) {
    u64 messages = 0, timers = 0;
    while (loops < 20000) {
        loops++;
        if (loops % 1000) continue;
        traps = 0;
        sbi(IPI, 0, 1, 0, 0, 0);
        __asm__ volatile("csrsi sie, 2\n csrsi sstatus, 2");
        while (traps == 0) { }
        __asm__ volatile("csrci sstatus, 2\n csrci sip, 2");
        if (last_cause == (1ul << 63 | 1)) messages++;
        traps = 0;
        sbi(TIME, 0, now() + 100, 0, 0, 0);
        __asm__ volatile("csrs sie, %0\n csrsi sstatus, 2" : : "r"(1 << 5));
        while (traps == 0) __asm__ volatile("wfi");
        __asm__ volatile("csrci sstatus, 2");
        sbi(TIME, 0, ~0ul, 0, 0, 0);
        if (last_cause == (1ul << 63 | 5)) timers++;
    }
    say("loops ");
    number(loops);
    say(messages == loops / 1000 ? ", messages as sent" : ", messages lost");
    say(timers == loops / 1000 ? ", timers as set\n" : ", timers lost\n");
    off();
}

void main(void) {
    if (get(CARD) == 0x74726976) refill(); else count();
}
