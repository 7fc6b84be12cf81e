// How long points of the plane stay under z = z * z + c: short dependent chains and a branch on a comparison.
#include "kernel.h"

#define WIDTH 400
#define HEIGHT 400
#define DEPTH 1000

// One rounding for each operation: escape near the border depends on the last bits.
#pragma STDC FP_CONTRACT OFF

static u32 escape(double x, double y) {
    double a = 0, b = 0;
    for (u32 i = 0; i < DEPTH; i++) {
        double aa = a * a, bb = b * b;
        if (aa + bb > 4) return i;
        b = 2 * a * b + y;
        a = aa - bb + x;
    }
    return DEPTH;
}

u64 benchmark(void) {
    u64 sum = 0;
    for (u64 row = 0; row < HEIGHT * seed; row++)
        for (u64 column = 0; column < WIDTH; column++)
            sum = mix(sum, escape(-2 + (double)column * 2.75 / WIDTH, -1.125 + (double)row * 2.25 / HEIGHT));
    return sum;
}
