#include "guest.h"

void second(void) { }

// The instructions of a hypercall and back, as instret counts them: the guest's own ten or so are among them.
void main(void) {
    u64 total = 0;
    for (int round = 0; round < 10000; round++) {
        u64 before = instructions();
        sbi(0x10, 0, 0, 0, 0, 0);
        total += instructions() - before;
    }
    say("instructions of a call ");
    number(total / 10000);
    say("\n");
    off();
}
