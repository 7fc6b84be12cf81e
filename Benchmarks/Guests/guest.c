// The guest's side: page tables, the console, power-off.
#include "kernel.h"

#define UART 0x10000000ul
#define FINISHER 0x100000ul
#define MEMORY 0x80000000ul
// The mapped range, in pages of 4 KiB as in a process.
#define MAPPED (128ul << 20)

enum { V = 1, R = 2, W = 4, X = 8, A = 64, D = 128 };

u64 seed = 1;
u64 exact;

// The end of executable code, from the linker script.
extern char text_end[];

static u64 root[512] __attribute__((aligned(4096)));
static u64 middle[512] __attribute__((aligned(4096)));
static u64 leaves[MAPPED >> 21][512] __attribute__((aligned(4096)));

// Sv39 (Privileged Architecture 10.4): code is executable and not writable, data the other way around.
u64 page_tables(void) {
    for (u64 offset = 0; offset < MAPPED; offset += 4096) {
        u64 address = MEMORY + offset;
        u64 flags = address < (u64)text_end ? R | X : R | W;
        leaves[offset >> 21][offset >> 12 & 511] = address >> 12 << 10 | flags | A | D | V;
    }
    for (u64 i = 0; i < MAPPED >> 21; i++) middle[i] = (u64)leaves[i] >> 12 << 10 | V;
    root[MEMORY >> 30] = (u64)middle >> 12 << 10 | V;
    // The devices below 1 GiB, in one page.
    root[0] = R | W | A | D | V;
    return 8ul << 60 | (u64)root >> 12;
}

static void put(char c) { *(volatile u8 *)UART = c; }

static void put_hex(u64 value) {
    for (int shift = 60; shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15]);
}

void guest_main(void) {
    put_hex(benchmark());
    put('\n');
    put_hex(exact);
    put('\n');
    *(volatile u32 *)FINISHER = 0x5555;
    for (;;) asm volatile("wfi");
}
