// The sieve of Eratosthenes over a quarter of a million numbers: stores with a stride, short loops.
#include "kernel.h"

#define LIMIT (1 << 18)

static u8 composite[LIMIT];

static __attribute__((noinline)) u64 sieve(u64 limit) {
    u64 primes = 0;
    for (u64 i = 0; i < limit; i++) composite[i] = 0;
    for (u64 i = 2; i < limit; i++) {
        if (composite[i]) continue;
        primes++;
        for (u64 j = i * i; j < limit; j += i) composite[j] = 1;
    }
    return primes;
}

u64 benchmark(void) {
    u64 sum = 0;
    for (u64 round = 0; round < 320 * seed; round++) sum = mix(sum, sieve(LIMIT - round));
    return sum;
}
