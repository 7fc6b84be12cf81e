#include "guest.h"

void second(void) { }

// Waits for ever.
void main(void) {
    for (;;) __asm__ volatile("wfi");
}
