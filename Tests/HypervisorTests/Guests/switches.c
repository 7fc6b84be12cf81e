#include "guest.h"

// Two vCPUs on one hart: each says all the time how far instret is. After a world switch, the difference of its own first look and the other's
// last one is what the switch took, from the exit of one vCPU to the entry of the other, the decision included.
static volatile u64 last[2], switches, total;

static void watch(int me) {
    u64 own = instructions();
    while (switches < 100) {
        u64 now = instructions(), other = last[1 - me];
        if (other > own) {
            total += now - other;
            switches++;
        }
        last[me] = own = now;
    }
}

void second(void) {
    watch(1);
    sbi(HSM, 1, 0, 0, 0, 0);
}

void main(void) {
    sbi(HSM, 0, 1, (u64)start_second, 0, 0);
    watch(0);
    say("instructions of a switch ");
    number(total / switches);
    say("\n");
    off();
}
