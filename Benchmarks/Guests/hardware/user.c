// The same computation in the guest's ring 3 and in a process of the host, COUNT times.
#include "../kernel.h"

u64 seed = 1;
u64 exact;

u64 user_work(void) {
    u64 sum = 0;
    for (u32 i = 0; i < COUNT; i++) sum = mix(sum, benchmark());
    return sum;
}

#ifdef GUEST
#include "machine.h"

void print_result(u64 sum) {
    for (int shift = 60; shift >= 0; shift -= 4) out8(0x3F8, (u8) "0123456789abcdef"[sum >> shift & 15]);
    out8(0x3F8, '\n');
}
#else
int printf(const char *format, ...);

int main(void) {
    printf("%016lx\n", user_work());
    return 0;
}
#endif
