// A benchmark of integer code: sieve, quicksort, recursive calls. It prints how many instructions it took.
#include "guest.h"

static u8 composite[65536];
static int numbers[4096];

static u64 sieve(void) {
    u64 primes = 0;
    for (int i = 0; i < 65536; i++) composite[i] = 0;
    for (int i = 2; i < 256; i++)
        if (!composite[i])
            for (int j = i * i; j < 65536; j += i) composite[j] = 1;
    for (int i = 2; i < 65536; i++) primes += !composite[i];
    return primes;
}

static void sort(int *from, int left, int right) {
    int i = left, j = right, pivot = from[(left + right) / 2];
    while (i <= j) {
        while (from[i] < pivot) i++;
        while (from[j] > pivot) j--;
        if (i <= j) {
            int swap = from[i];
            from[i++] = from[j];
            from[j--] = swap;
        }
    }
    if (left < j) sort(from, left, j);
    if (i < right) sort(from, i, right);
}

static __attribute__((noinline)) u64 fibonacci(u64 n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

void secondary_main(void) { for (;;) asm volatile("wfi"); }

int main(void) {
    u64 start = read_csr(minstret), random = 88172645463325252ul;
    for (int round = 0; round < 150; round++) EXPECT(sieve(), 6542);
    for (int round = 0; round < 150; round++) {
        for (int i = 0; i < 4096; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            numbers[i] = (int)random;
        }
        sort(numbers, 0, 4095);
        for (int i = 1; i < 4096; i++) EXPECT(numbers[i - 1] <= numbers[i], 1);
    }
    EXPECT(fibonacci(30), 832040);
    print_hex(read_csr(minstret) - start);
    print("\n");
    pass();
}
