#include "guest.h"

static volatile u64 second_value;

// Waits for an interrupt that sie lets through, and takes it. Interrupts are off but for one instruction, so that none comes between the look and the
// wait.
static void take_interrupt(void) {
    while (traps == 0) __asm__ volatile("wfi\n csrsi sstatus, 2\n csrci sstatus, 2" : : : "memory");
}

void second(void) {
    second_value = 42;
    // Waits for the message of the first hart.
    __asm__ volatile("csrsi sie, 2");
    take_interrupt();
    second_value = 43;
    sbi(HSM, 1, 0, 0, 0, 0);
    second_value = 44;
}

// Timer, messages, hart states, and refusals of arguments that are not valid.
void main(u64 hart, u64 tree) {
    say("hello from hart ");
    number(hart);
    say(*(u32 *)tree == 0xedfe0dd0 ? ", a tree\n" : ", no tree\n");
    __asm__ volatile("csrs sie, %0" : : "r"(1 << 5));
    sbi(TIME, 0, now() + 50000, 0, 0, 0);
    take_interrupt();
    say(last_cause == (1ul << 63 | 5) ? "timer\n" : "another trap\n");
    sbi(TIME, 0, ~0ul, 0, 0, 0);
    traps = 0;
    if (sbi(HSM, 2, 1, 0, 0, 0).error == 0) {
        sbi(HSM, 0, 1, (u64)start_second, 7, 0);
        while (second_value != 42) sbi(HSM, 2, 1, 0, 0, 0);
        sbi(RFENCE, 0, 3, 0, 0, 0);
        sbi(RFENCE, 1, 3, 0, 0, ~0ul);
        sbi(IPI, 0, 2, 0, 0, 0);
        while (sbi(HSM, 2, 1, 0, 0, 0).value == 0) { }
        say("second ");
        number(second_value);
        say("\n");
    }
    say("refusals ");
    number(-sbi(HSM, 0, 99, 0, 0, 0).error);
    number(-sbi(HSM, 0, 0, 0, 0, 0).error);
    number(-sbi(IPI, 0, 1, 63, 0, 0).error);
    number(-sbi(IPI, 0, 0xff00, 0, 0, 0).error);
    number(-sbi(DBCN, 0, 16, 0x1000, 0, 0).error);
    number(-sbi(0x12345, 0, 0, 0, 0, 0).error);
    say("\n");
    off();
}
