// Copy, scale, add and triad over three arrays of about 16 MB each. With a power of two as COUNT, the arrays conflict in
// direct-mapped structures.
#include "kernel.h"

#ifndef COUNT
#define COUNT 2000000
#define ROUNDS 16
#endif

static double a[COUNT], b[COUNT], c[COUNT];

u64 benchmark(void) {
    // Small whole numbers: every sum is exact, fused or not.
    for (u64 i = 0; i < COUNT; i++) {
        a[i] = (double)(i & 255);
        b[i] = 0;
        c[i] = 0;
    }
    double factor = (double)(seed + 1);
    for (int round = 0; round < ROUNDS; round++) {
        for (u64 i = 0; i < COUNT; i++) c[i] = a[i];
        for (u64 i = 0; i < COUNT; i++) b[i] = factor * c[i];
        for (u64 i = 0; i < COUNT; i++) c[i] = a[i] + b[i];
        for (u64 i = 0; i < COUNT; i++) a[i] = b[i] + factor * c[i];
        for (u64 i = 0; i < COUNT; i += COUNT / 256) a[i] = round;
        factor = 3 - factor;
    }
    u64 sum = 0;
    for (u64 i = 0; i < COUNT; i += 61) sum = mix(sum, bits_of(a[i]) + bits_of(b[i]) * 3 + bits_of(c[i]) * 5);
    return sum;
}
