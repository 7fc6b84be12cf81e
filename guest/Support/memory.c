// The functions that compilers call for copies and comparisons. Built without builtins, so that none becomes a call
// to itself.
#include "include/Support.h"

// Words that may stand at any address of a byte array.
typedef uint64_t __attribute__((may_alias)) word;

void *memcpy(void *restrict target, const void *restrict source, size_t count) {
    uint8_t *to = target;
    const uint8_t *from = source;
#if defined(__x86_64__)
    void *result = target;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    return result;
#else
    if ((((uintptr_t)to ^ (uintptr_t)from) & 7) == 0) {
        while (count > 0 && ((uintptr_t)to & 7) != 0) { *to++ = *from++; count--; }
        while (count >= 64) {
            word a = ((const word *)from)[0], b = ((const word *)from)[1];
            word c = ((const word *)from)[2], d = ((const word *)from)[3];
            word e = ((const word *)from)[4], f = ((const word *)from)[5];
            word g = ((const word *)from)[6], h = ((const word *)from)[7];
            ((word *)to)[0] = a; ((word *)to)[1] = b; ((word *)to)[2] = c; ((word *)to)[3] = d;
            ((word *)to)[4] = e; ((word *)to)[5] = f; ((word *)to)[6] = g; ((word *)to)[7] = h;
            to += 64; from += 64; count -= 64;
        }
        while (count >= 8) { *(word *)to = *(const word *)from; to += 8; from += 8; count -= 8; }
    }
    while (count > 0) { *to++ = *from++; count--; }
    return target;
#endif
}

void *memmove(void *target, const void *source, size_t count) {
    uint8_t *to = target;
    const uint8_t *from = source;
    // Forward copies are right wherever the target does not begin inside the source.
    if ((uintptr_t)to - (uintptr_t)from >= count) return memcpy(target, source, count);
    if ((((uintptr_t)to ^ (uintptr_t)from) & 7) == 0) {
        while (count > 0 && ((uintptr_t)(to + count) & 7) != 0) { count--; to[count] = from[count]; }
        while (count >= 8) { count -= 8; *(word *)(to + count) = *(const word *)(from + count); }
    }
    while (count > 0) { count--; to[count] = from[count]; }
    return target;
}

void *memset(void *target, int value, size_t count) {
    uint8_t *to = target;
#if defined(__x86_64__)
    void *result = target;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory");
    return result;
#else
    word pattern = (uint8_t)value * 0x0101010101010101u;
    while (count > 0 && ((uintptr_t)to & 7) != 0) { *to++ = (uint8_t)value; count--; }
    while (count >= 8) { *(word *)to = pattern; to += 8; count -= 8; }
    while (count > 0) { *to++ = (uint8_t)value; count--; }
    return target;
#endif
}

int memcmp(const void *left, const void *right, size_t count) {
    const uint8_t *a = left, *b = right;
    for (size_t index = 0; index < count; index++) {
        if (a[index] != b[index]) return a[index] < b[index] ? -1 : 1;
    }
    return 0;
}
