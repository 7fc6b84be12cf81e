// Dependent loads all over 64 MiB: a single cycle through a million cache lines.
#include "kernel.h"

#define LINES (1 << 20)

static struct line {
    u64 next, visits, room[6];
} lines[LINES] __attribute__((aligned(4096)));

u64 benchmark(void) {
    u64 random = 88172645463325252ul * seed;
    for (u64 i = 0; i < LINES; i++) lines[i].next = i;
    // Sattolo's shuffle, whose result is a single cycle.
    for (u64 i = LINES - 1; i > 0; i--) {
        u64 j = (next_random(&random) >> 32) * i >> 32;
        u64 next = lines[i].next;
        lines[i].next = lines[j].next;
        lines[j].next = next;
    }
    u64 at = 0, sum = 0;
    for (u64 i = 0; i < 2 * (u64)LINES; i++) {
        at = lines[at].next;
        sum += at ^ i;
    }
    return mix(sum, at);
}
