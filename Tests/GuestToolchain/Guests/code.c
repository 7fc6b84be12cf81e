// Code that changes while it runs: every way to write it is seen after a FENCE.I (Unprivileged Architecture 7), through every address
// of its page; pages that are mapped elsewhere after an SFENCE.VMA; and CSRs whose code runs in several modes.
#include "guest.h"

enum { V = 1, R = 2, W = 4, X = 8, U = 16, A = 64, D = 128 };
#define GIGABYTE 0x40000000ul
#define CODE GIGABYTE              // two pages of code
#define ALIAS (GIGABYTE + 0x10000) // the same, to be written
#define OTHER (GIGABYTE + 0x20000) // once more
#define ROUNDS 300

static u64 root[512] __attribute__((aligned(4096)));
static u64 mega[512] __attribute__((aligned(4096)));
static u64 pages[512] __attribute__((aligned(4096)));
static u32 code[3][1024] __attribute__((aligned(4096)));

static u64 leaf(volatile void *physical, u64 flags) { return (u64)physical >> 12 << 10 | flags; }

static void build(void) {
    root[0] = leaf(0, V | R | W | A | D);
    root[1] = leaf(mega, V);
    root[2] = leaf((void *)0x80000000ul, V | R | W | X | A | D);
    mega[0] = leaf(pages, V);
    for (int i = 0; i < 2; i++) {
        pages[i] = leaf(code[i], V | R | X | A);
        pages[16 + i] = leaf(code[i], V | R | W | A | D);
        pages[32 + i] = leaf(code[i], V | R | W | A | D);
    }
}

// addi a0, x0, value; ret
static u32 load_immediate(u32 value) { return value << 20 | 10 << 7 | 0x13; }
#define RETURN 0x00008067u
static long call(u64 address) { return ((long (*)(void))address)(); }

static void write(u64 address, u32 word) { *(volatile u32 *)address = word; }

static void every_address(void) {
    u64 places[3] = { (u64)code[0], ALIAS, OTHER };
    write(ALIAS + 4, RETURN);
    for (u32 round = 0; round < ROUNDS; round++) {
        write(places[round % 3], load_immediate(round & 1023));
        fence_code();
        EXPECT(call(CODE), round & 1023);
        EXPECT(call((u64)code[0]), round & 1023);
    }
    // Several writes before one fence, and fences with nothing to see.
    for (u32 round = 0; round < ROUNDS; round++) {
        for (int place = 0; place < 3; place++) write(places[place], load_immediate(place));
        fence_code();
        fence_code();
        EXPECT(call(CODE), 2);
    }
}

static void atomics(void) {
    for (u32 round = 0; round < ROUNDS; round++) {
        u32 word = load_immediate(round & 1023), ignored;
        u64 place = round & 1 ? ALIAS : OTHER;
        asm volatile("amoswap.w %0, %1, (%2)" : "=r"(ignored) : "r"(word), "r"(place) : "memory");
        fence_code();
        EXPECT(call(CODE), round & 1023);
        word = load_immediate(round + 1 & 1023);
        asm volatile("1: lr.w %0, (%2)\nsc.w %0, %1, (%2)\nbnez %0, 1b" : "=&r"(ignored) : "r"(word), "r"(place) : "memory");
        fence_code();
        EXPECT(call(CODE), round + 1 & 1023);
    }
}

// A loop that adds a constant a hundred times, and numbers beside it that change all the time.
static void data_beside_code(void) {
    u64 loop = CODE + 256, counter = ALIAS + 2048;
    write(ALIAS + 256, load_immediate(0));
    write(ALIAS + 260, 100u << 20 | 5 << 7 | 0x13);                      // addi t0, x0, 100
    write(ALIAS + 268, 0xfffu << 20 | 5 << 15 | 5 << 7 | 0x13);          // addi t0, t0, -1
    write(ALIAS + 272, 0xfe029ce3u);                                     // bne t0, x0, -8
    write(ALIAS + 276, RETURN);
    *(volatile u64 *)counter = 0;
    for (u32 round = 0; round < ROUNDS; round++) {
        u32 step = round / 50;
        write(ALIAS + 264, step << 20 | 10 << 15 | 10 << 7 | 0x13);      // addi a0, a0, step
        fence_code();
        for (int again = 0; again < 3; again++) {
            *(volatile u64 *)counter += 1;
            EXPECT(call(loop), 100 * step);
        }
    }
    EXPECT(*(volatile u64 *)counter, 3 * ROUNDS);
}

// An instruction whose second half is in the next page.
static void border(void) {
    u64 at = CODE + 4094;
    *(volatile u16 *)(ALIAS + 4094) = load_immediate(0) & 0xffff;
    *(volatile u16 *)(ALIAS + 4098) = 0x8082; // c.jr ra
    for (u32 round = 0; round < ROUNDS; round++) {
        *(volatile u16 *)(ALIAS + 4096) = load_immediate(round & 1023) >> 16;
        fence_code();
        EXPECT(call(at), round & 1023);
    }
}

static void other_page(void) {
    u64 address = CODE;
    write((u64)code[0], load_immediate(1));
    write((u64)code[0] + 4, RETURN);
    write((u64)code[2], load_immediate(2));
    write((u64)code[2] + 4, RETURN);
    fence_code();
    for (u32 round = 0; round < ROUNDS; round++) {
        pages[0] = leaf(code[round & 1 ? 2 : 0], V | R | X | A);
        asm volatile("sfence.vma %0, x0" : : "r"(address) : "memory");
        EXPECT(call(CODE), round & 1 ? 2 : 1);
        // The page that is not mapped is written to, and seen when it comes back.
        u32 next = 1 + (round & 1) + 4 * (round & 63);
        write((u64)code[round & 1 ? 2 : 0], load_immediate(next));
        fence_code();
        EXPECT(call(CODE), next);
        write((u64)code[round & 1 ? 2 : 0], load_immediate(round & 1 ? 2 : 1));
        fence_code();
    }
    pages[0] = leaf(code[0], V | R | X | A);
    fence_all();
}

static long all(long a, long b) {
    (void)a;
    (void)b;
    write_csr(satp, 8ul << 60 | (u64)root >> 12);
    fence_all();
    every_address();
    atomics();
    data_beside_code();
    border();
    other_page();
    write_csr(satp, 0);
    fence_all();
    return 0;
}

// The same code in both modes: only one of them may.
static long registers(long value, long b) {
    u64 old = 7, status = 7;
    (void)b;
    me()->cause = NONE;
    asm volatile("csrrw %0, sscratch, %1" : "+r"(old) : "r"(value) : "memory");
    if (caught() != NONE) return -caught();
    asm volatile("csrrci %0, sstatus, 2" : "+r"(status) : : "memory");
    asm volatile("csrrsi x0, sstatus, 2" : : : "memory");
    // An exchange in one register.
    asm volatile("csrrw %0, sscratch, %0" : "+r"(value) : : "memory");
    asm volatile("csrw sepc, %0" : : "r"(value * 4) : "memory");
    u64 address = read_csr(sepc);
    clear_csr(sstatus, SIE);
    return address == (u64)value * 4 && !(status & MPP) ? (long)old : -1;
}

int main(void) {
    open_memory();
    build();
    for (long round = 1; round < ROUNDS; round++) {
        write_csr(sscratch, 1000 + round);
        EXPECT(run_at(SUPERVISOR, registers, round, 0), 1000 + round);
        EXPECT(run_at(USER, registers, round, 0), -ILLEGAL);
    }
    EXPECT(run_at(SUPERVISOR, all, 0, 0), 0);
    return 0;
}
