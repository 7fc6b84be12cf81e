#include "interrupts.h"

// Counts as long as the machine runs. Each number costs a timer of this hart, a message to the second hart and one back, and a pass over memory
// in two chunks of the hypervisor; it is printed only if nothing got lost. Interrupts stay off: WFI ends for those that are pending, so that none
// falls between the look and the wait.
#define WORDS 512
static volatile u64 *const memory = (volatile u64 *)0x80400000ul - WORDS / 2 * 512;
static volatile u64 asked, answered;

// The second hart adds one to each word, which lie a page apart.
void second(void) {
    listen_to_harts();
    for (;;) {
        while (asked == answered) await_message();
        for (u64 word = 0; word < WORDS; word++) memory[word * 512]++;
        answered = asked;
        send_message(0);
    }
}

void main(void) {
    for (u64 word = 0; word < WORDS; word++) memory[word * 512] = 0;
    sbi(HSM, 0, 1, (u64)start_second, 0, 0);
    listen_to_harts();
    __asm__ volatile("csrs sie, %0" : : "r"(1 << 5));
    for (u64 count = 1;; count++) {
        u64 due = now() + 20000;
        sbi(TIME, 0, due, 0, 0, 0);
        while (now() < due) await_message();
        sbi(TIME, 0, ~0ul, 0, 0, 0);
        asked = count;
        send_message(1);
        while (answered != count) await_message();
        u64 wrong = traps;
        for (u64 word = 0; word < WORDS; word++) wrong += memory[word * 512] != count;
        say_number(wrong ? "wrong " : "count ", count);
    }
}
