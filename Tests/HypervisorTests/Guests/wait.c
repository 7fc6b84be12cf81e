#include "guest.h"

void second(void) { }

// Waits without end for an interrupt.
void main(void) {
    say("waiting\n");
    for (;;) __asm__ volatile("wfi");
}
