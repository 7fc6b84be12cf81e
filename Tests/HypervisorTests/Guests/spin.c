#include "guest.h"

void second(void) { }

// Counts its own progress in the same span of time as every other guest.
void main(void) {
    u64 count = 0;
    while (now() < 10000000) { }
    while (now() < 30000000) count++;
    say("count ");
    number(count);
    say("\n");
    off();
}
