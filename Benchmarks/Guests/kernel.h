// Shared by all kernels, in the guest and on the host. A kernel is a function that returns a checksum of its results. The checksum
// detects wrong engines and keeps the compiler from removing work.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef int i32;
typedef long i64;

// The kernel. Its result is equal on every machine.
u64 benchmark(void);

// A second result, equal on machines of the same instruction set only: a sum of doubles whose last bits depend on fused
// multiplications. Guests print it, and it must agree among them.
extern u64 exact;

// Always 1. Defined in another file, so that the compiler cannot evaluate a kernel at compile time.
extern u64 seed;

// xorshift64: all kernels' random numbers. The state must not be zero.
static inline u64 next_random(u64 *state) {
    u64 x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

static inline u64 mix(u64 sum, u64 value) { return (sum ^ value) * 0x9e3779b97f4a7c15ul + (sum >> 29); }

static inline u64 bits_of(double value) {
    union { double number; u64 bits; } convert = { value };
    return convert.bits;
}
