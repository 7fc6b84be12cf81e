#include "guest.h"

void print(const char *text) {
    for (; *text; text++) *(volatile u8 *)UART = *text;
}

void print_hex(u64 value) {
    print("0x");
    for (int shift = 60; shift >= 0; shift -= 4) {
        u8 digit = value >> shift & 15;
        *(volatile u8 *)UART = digit < 10 ? '0' + digit : 'a' + digit - 10;
    }
}

void pass(void) {
    *(volatile u32 *)FINISHER = 0x5555;
    for (;;) {}
}

void fail(int number, const char *file, int line, u64 found, u64 expected) {
    const char *name = file;
    for (const char *c = file; *c; c++) {
        if (*c == '/') name = c + 1;
    }
    print("check ");
    print_hex(number);
    print(" at ");
    print(name);
    print(":");
    print_hex(line);
    print(": found ");
    print_hex(found);
    print(", expected ");
    print_hex(expected);
    print("; last trap ");
    print_hex(me()->cause);
    print(" at ");
    print_hex(me()->epc);
    print(" with ");
    print_hex(me()->tval);
    print("\n");
    // The exit code of a process has eight bits.
    *(volatile u32 *)FINISHER = 0x3333 | (u32)(number > 255 ? 255 : number) << 16;
    for (;;) {}
}

__attribute__((weak)) void secondary_main(void) {
    for (;;) asm volatile("wfi");
}
