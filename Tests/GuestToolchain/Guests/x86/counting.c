// Prints a dot for each of eight rounds of work, and the sum of it all: to be saved in the middle.
#include "guest.h"

static u32 memory[4096];

void on_interrupt(void) {}

void guest_main(void) {
    u32 state = 1;
    u64 sum = 0;
    for (int round = 0; round < 8; round++) {
        for (int i = 0; i < 6000; i++) {
            state = state * 1664525 + 1013904223;
            memory[state >> 20] += state;
            sum += memory[(state >> 8) & 4095];
        }
        print(".");
    }
    print(" ");
    print_hex(sum);
    print("\n");
}
