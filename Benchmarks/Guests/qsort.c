// A quicksort for any element, as C libraries have it: comparison through a pointer, exchange by bytes and words.
#include "kernel.h"

#define COUNT 100000

struct record {
    u64 key;
    u32 value, order;
};

static struct record records[COUNT];
static u32 numbers[COUNT];

typedef int (*comparison)(const void *, const void *);

static void exchange(char *a, char *b, u64 size) {
    for (; size >= 8; size -= 8, a += 8, b += 8) {
        u64 word = *(u64 *)a;
        *(u64 *)a = *(u64 *)b;
        *(u64 *)b = word;
    }
    for (; size >= 4; size -= 4, a += 4, b += 4) {
        u32 word = *(u32 *)a;
        *(u32 *)a = *(u32 *)b;
        *(u32 *)b = word;
    }
}

static __attribute__((noinline)) void sort(char *base, u64 count, u64 size, comparison compare) {
    while (count > 8) {
        char *low = base, *high = base + (count - 1) * size, *middle = base + count / 2 * size;
        if (compare(middle, low) < 0) exchange(middle, low, size);
        if (compare(high, low) < 0) exchange(high, low, size);
        if (compare(high, middle) < 0) exchange(high, middle, size);
        char *i = low, *j = high;
        char *pivot = middle;
        for (;;) {
            do i += size;
            while (compare(i, pivot) < 0);
            do j -= size;
            while (compare(pivot, j) < 0);
            if (i >= j) break;
            exchange(i, j, size);
            // The pivot may be one of the exchanged elements.
            if (pivot == i) pivot = j;
            else if (pivot == j) pivot = i;
        }
        u64 left = (u64)(j - base) / size + 1;
        // Recursion for the smaller part, iteration for the larger.
        if (left < count - left) {
            sort(base, left, size, compare);
            base += left * size;
            count -= left;
        } else {
            sort(base + left * size, count - left, size, compare);
            count = left;
        }
    }
    for (char *i = base + size; i < base + count * size; i += size)
        for (char *j = i; j > base && compare(j - size, j) > 0; j -= size) exchange(j - size, j, size);
}

static int by_key(const void *a, const void *b) {
    const struct record *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static int by_number(const void *a, const void *b) {
    u32 x = *(const u32 *)a, y = *(const u32 *)b;
    return (x > y) - (x < y);
}

u64 benchmark(void) {
    u64 random = 88172645463325252ul * seed, sum = 0;
    for (int round = 0; round < 12; round++) {
        for (u32 i = 0; i < COUNT; i++) {
            records[i].key = next_random(&random) & 0xffff;
            records[i].value = (u32)random;
            records[i].order = i;
            numbers[i] = (u32)(random >> 20);
        }
        sort((char *)records, COUNT, sizeof records[0], by_key);
        sort((char *)numbers, COUNT, sizeof numbers[0], by_number);
        for (u32 i = 0; i < COUNT; i++) sum = mix(sum, records[i].value + (u64)numbers[i] * i);
    }
    return sum;
}
