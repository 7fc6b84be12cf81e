// Loops whose accesses step through memory, or stay where they are: a translator may remember their page from one access to the
// next, and has to notice whatever ends what it remembers. Sv39, in supervisor mode.
#include "guest.h"

enum { V = 1, R = 2, W = 4, X = 8, U = 16, A = 64, D = 128, PAGES = 8, WORDS = 512 };

static u64 root[512] __attribute__((aligned(4096)));
static u64 middle[512] __attribute__((aligned(4096)));
static u64 last[512] __attribute__((aligned(4096)));
static u64 top[2][512] __attribute__((aligned(4096)));
static u64 data[PAGES][WORDS] __attribute__((aligned(4096)));
static u32 code[1024] __attribute__((aligned(4096)));

#define WINDOW 0x40000000ul

static u64 leaf(const void *physical, u64 flags) { return (u64)physical >> 12 << 10 | flags | V | A | D; }
static void fence_page(u64 address) { asm volatile("sfence.vma %0" : : "r"(address) : "memory"); }
static void map(u64 page, int physical, u64 flags) { last[page] = leaf(data[physical], flags); }

static void build(void) {
    root[1] = leaf(middle, 0) & ~(u64)(A | D);
    middle[0] = leaf(last, 0) & ~(u64)(A | D);
    root[2] = leaf((void *)0x80000000, R | W | X);
    root[0] = leaf(0, R | W);
    root[511] = leaf(top[0], 0) & ~(u64)(A | D);
    top[0][511] = leaf(top[1], 0) & ~(u64)(A | D);
    write_csr(satp, 8ul << 60 | (u64)root >> 12);
    fence_all();
}

static u64 __attribute__((noinline)) sum(const volatile u64 *from, u64 count) {
    u64 result = 0;
    for (const volatile u64 *word = from; word != from + count; word++) result = result * 3 + *word;
    return result;
}

static void __attribute__((noinline)) fill(volatile u64 *to, u64 count, u64 value) {
    for (volatile u64 *word = to; word != to + count; word++) *word = value++;
}

// The causes of accesses that trap, and how many do. What traps leaves its register as it was.
static u64 __attribute__((noinline)) failing_loads(u64 from, u64 count, u64 cause) {
    u64 failed = 0;
    for (u64 address = from; address != from + count * 8; address += 8) {
        u64 value = load_64(address);
        if (caught() == NONE) continue;
        EXPECT(caught(), cause);
        EXPECT(me()->tval, address);
        EXPECT(value, 0xbad);
        failed++;
    }
    return failed;
}

static u64 __attribute__((noinline)) failing_stores(u64 from, u64 count, u64 cause) {
    u64 failed = 0;
    for (u64 address = from; address != from + count * 8; address += 8) {
        if (store_64(address, address) == NONE) continue;
        EXPECT(caught(), cause);
        EXPECT(me()->tval, address);
        failed++;
    }
    return failed;
}

// Pages that are not in order, and change places while one of them is in use.
static void places(void) {
    for (u64 page = 0; page < PAGES; page++) map(page, (int)(page * 3 % PAGES), R | W);
    fence_all();
    fill((u64 *)WINDOW, PAGES * WORDS, 1);
    for (u64 page = 0; page < PAGES; page++) EXPECT(data[page * 3 % PAGES][7], page * WORDS + 8);
    u64 expected = 0;
    for (u64 word = 1; word <= PAGES * WORDS; word++) expected = expected * 3 + word;
    EXPECT(sum((u64 *)WINDOW, PAGES * WORDS), expected);
    for (u64 round = 0; round < 40; round++) {
        // A step with a fence for the page, and one with a fence for all.
        map(0, (int)(round % PAGES), R | W);
        if (round & 1) fence_page(WINDOW);
        else fence_all();
        EXPECT(sum((u64 *)WINDOW, 3), sum(data[round % PAGES], 3));
        fill((u64 *)WINDOW + 3, 2, round);
        EXPECT(data[round % PAGES][4], round + 1);
    }
}

// Pages that may not be touched in the middle of others, and rights that change.
static void rights(void) {
    for (u64 page = 0; page < PAGES; page++) map(page, (int)page, R | W);
    last[2] = 0;
    map(4, 4, R);
    fence_all();
    EXPECT(failing_loads(WINDOW, PAGES * WORDS, LOAD_PAGE), WORDS);
    EXPECT(failing_stores(WINDOW, PAGES * WORDS, STORE_PAGE), 2 * WORDS);
    EXPECT(data[1][5], WINDOW + 4096 + 40);
    EXPECT(data[5][511], WINDOW + 6 * 4096 - 8);
    for (u64 round = 0; round < 20; round++) {
        map(0, 0, R);
        fence_page(WINDOW);
        EXPECT(failing_stores(WINDOW, 4, STORE_PAGE), 4);
        EXPECT(failing_loads(WINDOW, 4, LOAD_PAGE), 0);
        map(0, 0, R | W);
        fence_page(WINDOW);
        EXPECT(failing_stores(WINDOW, 4, STORE_PAGE), 0);
        last[0] = 0;
        fence_page(WINDOW);
        EXPECT(failing_loads(WINDOW, 4, LOAD_PAGE), 4);
    }
    // Users' pages, which the supervisor may touch or not.
    map(0, 0, R | W | U);
    fence_page(WINDOW);
    for (u64 round = 0; round < 20; round++) {
        set_csr(sstatus, SUM);
        EXPECT(failing_loads(WINDOW, 4, LOAD_PAGE), 0);
        EXPECT(failing_stores(WINDOW, 4, STORE_PAGE), 0);
        clear_csr(sstatus, SUM);
        EXPECT(failing_loads(WINDOW, 4, LOAD_PAGE), 4);
        EXPECT(failing_stores(WINDOW, 4, STORE_PAGE), 4);
    }
}

// Values that lie in two pages.
static void crossing(void) {
    for (u64 page = 0; page < PAGES; page++) map(page, (int)(PAGES - 1 - page), R | W);
    fence_all();
    for (u64 round = 0; round < 8; round++) {
        volatile u8 *byte = (u8 *)WINDOW + 4096 - 24 + round;
        for (u64 index = 0; index < 48; index++) byte[index] = (u8)(index * 5);
        for (volatile u8 *at = byte; at != byte + 40; at++) {
            u64 found = *(volatile u64 *)at, index = (u64)(at - byte);
            for (u64 part = 0; part < 8; part++) EXPECT((u8)(found >> 8 * part), (u8)((index + part) * 5));
        }
        for (volatile u8 *at = byte; at != byte + 40; at += 8) *(volatile u64 *)at = (u64)at;
        EXPECT(*(volatile u64 *)(byte + 16), (u64)byte + 16);
    }
}

// The last page of all and the first one, where nothing answers.
static void ends(void) {
    top[1][511] = leaf(data[3], R | W);
    fence_all();
    for (u64 round = 0; round < 4; round++) {
        fill((u64 *)-4096l, WORDS, round);
        EXPECT(data[3][511], round + 511);
        EXPECT(failing_loads(-32l, 8, LOAD_ACCESS), 4);
        EXPECT(failing_stores(-32l, 8, STORE_ACCESS), 4);
        // One more beyond the lower half: addresses between the halves are nobody's.
        EXPECT(failing_loads(0x3ffffffff0, 4, LOAD_PAGE), 4);
        top[1][511] = 0;
        fence_page(-4096l);
        EXPECT(failing_loads(-32l, 4, LOAD_PAGE), 4);
        top[1][511] = leaf(data[3], R | W);
        fence_page(-4096l);
    }
}

// Stores to code that has run: li a0, VALUE; ret, in many places of a page.
static void instructions(void) {
    for (u32 round = 0; round < 60; round++) {
        for (volatile u32 *at = code; at != code + 64; at += 2) {
            at[0] = (round + (u32)(at - code)) << 20 | 0x513;
            at[1] = 0x8067;
        }
        fence_code();
        for (u32 place = 0; place < 64; place += 22) {
            EXPECT(((long (*)(void))(u64)(code + place))(), round + place);
        }
    }
}

// Code of the last page of all: a loop whose last instruction ends where addresses do, and then what goes on at the first address,
// where none may be fetched. Its page was not executed elsewhere.
static void last_code(void) {
    volatile u32 *at = (u32 *)-16l;
    top[1][511] = leaf(data[6], R | W | X);
    fence_all();
    at[0] = 3 << 20 | 10 << 15 | 10 << 7 | 0x13;        // addi a0, a0, 3
    at[1] = 0xfffu << 20 | 11 << 15 | 11 << 7 | 0x13;   // addi a1, a1, -1
    at[2] = 0xfe059ce3;                                 // bnez a1, -8
    at[3] = 0x8067;                                     // ret
    fence_code();
    for (long round = 0; round < 40; round++) {
        EXPECT(((long (*)(long, long))-16l)(round, 50), round + 150);
    }
    at[3] = 0x13;
    fence_code();
    for (u64 round = 0; round < 40; round++) {
        EXPECT(jump_to(-4l), FETCH_PAGE);
        EXPECT(me()->tval, 0);
    }
    fence_page(-4096l);
}

static long supervisor(long a, long b) {
    (void)a;
    (void)b;
    places();
    rights();
    crossing();
    ends();
    instructions();
    last_code();
    return 7;
}

int main(void) {
    open_memory();
    build();
    EXPECT(run_at(SUPERVISOR, supervisor, 0, 0), 7);
    return 0;
}
