// The product of two matrices of doubles, the inner loop along rows.
#include "kernel.h"

#define SIZE 256

static double a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];

static __attribute__((noinline)) void multiply(void) {
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) c[i][j] = 0;
    for (int i = 0; i < SIZE; i++)
        for (int k = 0; k < SIZE; k++) {
            double factor = a[i][k];
            for (int j = 0; j < SIZE; j++) c[i][j] += factor * b[k][j];
        }
}

u64 benchmark(void) {
    u64 random = 88172645463325252ul * seed, sum = 0;
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            // Small whole numbers: products and sums are exact, fused or not.
            a[i][j] = (double)(i64)(next_random(&random) & 255) - 128;
            b[i][j] = (double)(i64)(next_random(&random) & 255) - 128;
        }
    for (int round = 0; round < 16; round++) {
        multiply();
        for (int i = 0; i < SIZE; i++) {
            sum = mix(sum, bits_of(c[i][(i + round) % SIZE]));
            a[i][round] += 1;
        }
    }
    return sum;
}
