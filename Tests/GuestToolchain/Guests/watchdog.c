// The watchdog of Allwinner's D1, at 0x102000: starts it with the shortest interval, serves it for a while, and stops. A guest that the
// watchdog has restarted says so and switches off. PANIC writes to the notifier of panics on the PCI bus instead.
#include "guest.h"

#define WATCHDOG 0x102000ul
#define CONFIGURATION 0x30000000ul
#define KEY 0x16aa0000u

#ifdef PANIC
int main(void) {
    volatile u32 *function = (volatile u32 *)(CONFIGURATION + (1 << 15));
    EXPECT(function[0], 0x00111b36);
    function[4] = 0x40000000;
    function[1] = 2;
    EXPECT(get8(0x40000000), 3);
    *(volatile u8 *)0x40000000 = 1;
    for (;;) {}
}
#else
int main(void) {
    // What the last run has written stays in memory.
    volatile u32 *mark = (volatile u32 *)0x80800000ul;
    EXPECT(get32(WATCHDOG + 0x18), 0);
    if (*mark == 0x600d) return 0;
    put32(WATCHDOG + 0x14, KEY | 1);
    put32(WATCHDOG + 0x18, KEY | 1);
    for (int i = 0; i < 1000; i++) put32(WATCHDOG + 0x10, 0xa57 << 1 | 1);
    EXPECT(get32(WATCHDOG + 0x18), 1);
    *mark = 0x600d;
    for (;;) {}
}
#endif
