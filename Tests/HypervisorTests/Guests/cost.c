#include "guest.h"

void second(void) { }

// The cost of a call: where virtual time follows instructions, ticks are a number of instructions.
void main(void) {
    u64 start = now();
    for (int round = 0; round < 10000; round++) sbi(0x10, 0, 0, 0, 0, 0);
    say("ticks of 10000 calls ");
    number(now() - start);
    say("\n");
    off();
}
