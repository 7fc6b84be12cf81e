// Changes its own code, and resets the machine: what was loaded is what runs afterwards. It does so three times.
#include "guest.h"

// Far behind the program; nothing clears it.
#define COUNT (*(volatile u64 *)0x80800000ul)
#define MAGIC 0x5e5e7000ul

static int __attribute__((noinline, aligned(8))) answer(void) {
    int value;
    asm volatile(".option push\n.option norvc\naddi %0, x0, 1\n.option pop" : "=r"(value));
    return value;
}

static u64 sum(int count) {
    u64 result = 0;
    for (int i = 0; i < count; i++) result += (u64)answer();
    return result;
}

int main(void) {
    if (COUNT >> 12 != MAGIC >> 12) COUNT = MAGIC;
    EXPECT(sum(50000), 50000);
    if (COUNT == MAGIC + 3) return 0;
    COUNT += 1;
    volatile u32 *instruction = (volatile u32 *)answer;
    EXPECT(*instruction & 0xfffff07f, 1 << 20 | 0x13);
    *instruction = (*instruction & 0xfffff) | 2 << 20;
    fence_code();
    EXPECT(sum(50000), 100000);
    print("reset\n");
    *(volatile u32 *)FINISHER = 0x7777;
    for (;;) {}
}
