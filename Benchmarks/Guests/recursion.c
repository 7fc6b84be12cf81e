// Calls and returns: Fibonacci, Ackermann, and the towers of Hanoi, each by its definition.
#include "kernel.h"

static u64 moves[3];

static __attribute__((noinline)) u64 fibonacci(u64 n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

static __attribute__((noinline)) u64 ackermann(u64 m, u64 n) {
    if (m == 0) return n + 1;
    if (n == 0) return ackermann(m - 1, 1);
    return ackermann(m - 1, ackermann(m, n - 1));
}

static __attribute__((noinline)) void hanoi(u64 height, int from, int to) {
    if (height == 0) return;
    int other = 3 - from - to;
    hanoi(height - 1, from, other);
    moves[to] += height;
    hanoi(height - 1, other, to);
}

u64 benchmark(void) {
    u64 sum = 0;
    for (u64 round = 0; round < 16; round++) {
        sum = mix(sum, fibonacci(31 + seed));
        sum = mix(sum, ackermann(2 + seed, 7));
        hanoi(19 + seed, 0, 2);
    }
    return mix(sum, moves[0] + 3 * moves[1] + 5 * moves[2]);
}
