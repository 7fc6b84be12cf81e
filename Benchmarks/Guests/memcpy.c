// Copies of 16 bytes to 8 MB by a function written as C libraries without vectors write it: words, eight at a time.
#include "kernel.h"

#define ROOM 8000000

static u64 from[ROOM / 8], to[ROOM / 8];

static __attribute__((noinline)) void copy(void *destination, const void *source, u64 size) {
    u64 *d = destination;
    const u64 *s = source;
    for (; size >= 64; size -= 64, d += 8, s += 8) {
        u64 w0 = s[0], w1 = s[1], w2 = s[2], w3 = s[3], w4 = s[4], w5 = s[5], w6 = s[6], w7 = s[7];
        d[0] = w0;
        d[1] = w1;
        d[2] = w2;
        d[3] = w3;
        d[4] = w4;
        d[5] = w5;
        d[6] = w6;
        d[7] = w7;
    }
    for (; size >= 8; size -= 8) *d++ = *s++;
    u8 *tail = (u8 *)d;
    const u8 *rest = (const u8 *)s;
    while (size--) *tail++ = *rest++;
}

u64 benchmark(void) {
    static const u64 sizes[] = { 16, 67, 256, 1024, 4096, 32768, 262144, 1 << 20, ROOM };
    u64 random = 88172645463325252ul * seed, sum = 0;
    for (u64 i = 0; i < ROOM / 8; i++) from[i] = next_random(&random);
    for (u64 k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        u64 size = sizes[k], total = size < 256 ? 64 << 20 : 256 << 20, place = 0;
        for (u64 done = 0; done < total; done += size) {
            // Small ones move along, so that they do not all meet the same line.
            place = size < ROOM ? (place + size + 56) % (ROOM - size) & ~7ul : 0;
            copy((char *)to + place, (const char *)from + (place ^ 64) % (ROOM - size + 8), size);
        }
        for (u64 i = 0; i < ROOM / 8; i += 509) sum = mix(sum, to[i]);
    }
    return sum;
}
