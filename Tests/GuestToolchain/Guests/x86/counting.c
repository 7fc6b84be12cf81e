// Prints a dot for each of eight rounds of work, and the sum of it all, and works on until the host sends a byte: to be saved
// in the middle.
#include "guest.h"

static u32 memory[4096];

void on_interrupt(void) {}

static u32 state = 1;
static u64 sum;

static void work(void) {
    for (int i = 0; i < 6000; i++) {
        state = state * 1664525 + 1013904223;
        memory[state >> 20] += state;
        sum += memory[(state >> 8) & 4095];
    }
}

void guest_main(void) {
    for (int round = 0; round < 8; round++) {
        work();
        print(".");
    }
    print(" ");
    print_hex(sum);
    print("\n");
    // The line status twice: data ready may be shown on the second look only.
    while (!(in8(0x3FD) & 1) && !(in8(0x3FD) & 1)) work();
    in8(0x3F8);
}
