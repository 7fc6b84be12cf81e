#include "CLinux.h"

#if defined(__x86_64__)
#include <cpuid.h>

static int avx_state_enabled(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    // Bits 1 and 2 of XCR0: SSE and AVX state.
    return (low & 6) == 6;
}

int aerie_host_features(void) {
    unsigned a, b, c, d;
    int features = 0;
    if (__get_cpuid(1, &a, &b, &c, &d)) {
        if (c & bit_POPCNT) features |= 4;
        if ((c & bit_FMA) && (c & bit_OSXSAVE) && avx_state_enabled()) features |= 2;
    }
    unsigned bmi1 = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        if (b & bit_BMI2) features |= 1;
        bmi1 = b & bit_BMI;
    }
    if (__get_cpuid(0x80000001, &a, &b, &c, &d) && (c & bit_LZCNT) && bmi1) features |= 8;
    return features;
}
#else
int aerie_host_features(void) { return 0; }
#endif
