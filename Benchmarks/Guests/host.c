// The host's side: the same kernel as a program of its own.
#include "kernel.h"

int printf(const char *format, ...);

u64 seed = 1;
u64 exact;

int main(void) {
    printf("%016lx\n", benchmark());
    return 0;
}
