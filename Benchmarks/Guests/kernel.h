// What every kernel shares, in the guest and on the host. A kernel is one function; it returns a checksum of all that it
// computed, so that a wrong engine is found out and the compiler cannot leave work out.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef int i32;
typedef long i64;

// The kernel. Its result is the same on every machine.
u64 benchmark(void);

// What is the same on every machine of one instruction set only: a sum of doubles whose last bits depend on whether the
// compiler fused multiplications and additions. Guests print it, and it must agree among them.
extern u64 exact;

// Defined elsewhere, so that no compiler computes a kernel from it at compile time. It is 1.
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
