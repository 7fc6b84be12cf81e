#include "guest.h"

void second(void) { }

// Waits for timers, from the first wait on, each a little longer than the last: a timer that another wait has left must not hold it up.
void main(void) {
    __asm__ volatile("csrs sie, %0" : : "r"(1 << 5));
    u64 late = 0;
    for (u64 round = 0; round < 20; round++) {
        u64 due = now() + 50000 + 10000 * round;
        sbi(TIME, 0, due, 0, 0, 0);
        while (now() < due) __asm__ volatile("wfi");
        if (now() > due + 10000) late++;
    }
    say("late timers ");
    number(late);
    say("\n");
    off();
}
