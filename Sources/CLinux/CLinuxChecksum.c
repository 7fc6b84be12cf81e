#include "CLinux.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#include <string.h>

#define WITH_CRC __attribute__((target("sse4.2,pclmul")))

int aerie_has_crc32c(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_2) && (c & bit_PCLMUL);
}

// The register after n more bytes of zeroes is the register times x^(8n) modulo the polynomial. A carry-less product with
// k = x^(8n - 33) leaves the register's product one power of x and one 32-bit shift short, which the instruction makes up for
// when it reduces the 64 bits.
WITH_CRC static inline uint64_t shifted(uint64_t crc, uint32_t k) {
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)crc), _mm_cvtsi32_si128((int)k), 0);
    return _mm_crc32_u64(0, (unsigned long long)_mm_cvtsi128_si64(product));
}

static inline uint64_t word(const unsigned char *bytes) {
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

// The instruction takes three cycles and can begin in each: three streams of `length` bytes side by side keep it busy.
WITH_CRC static inline uint64_t three(
    uint64_t crc, const unsigned char *bytes, size_t length, uint32_t once, uint32_t twice) {
    uint64_t second = 0, third = 0;
    for (size_t i = 0; i < length; i += 8) {
        crc = _mm_crc32_u64(crc, word(bytes + i));
        second = _mm_crc32_u64(second, word(bytes + length + i));
        third = _mm_crc32_u64(third, word(bytes + 2 * length + i));
    }
    return shifted(crc, twice) ^ shifted(second, once) ^ third;
}

WITH_CRC uint32_t aerie_crc32c(uint32_t register_, const void *data, size_t count) {
    const unsigned char *bytes = data;
    uint64_t crc = register_;
    for (; count >= 3 * 1024; count -= 3 * 1024, bytes += 3 * 1024)
        crc = three(crc, bytes, 1024, 0x170076fau, 0xa51b6135u);
    for (; count >= 3 * 128; count -= 3 * 128, bytes += 3 * 128)
        crc = three(crc, bytes, 128, 0x0d3b6092u, 0xb9e02b86u);
    for (; count >= 8; count -= 8, bytes += 8) crc = _mm_crc32_u64(crc, word(bytes));
    for (; count > 0; count--, bytes++) crc = _mm_crc32_u8((unsigned)crc, *bytes);
    return (uint32_t)crc;
}
#else
int aerie_has_crc32c(void) { return 0; }
uint32_t aerie_crc32c(uint32_t register_, const void *data, size_t count) {
    (void)data, (void)count;
    return register_;
}
#endif
