// SBI's calls between harts, from a kernel on HARTS of them: starting, stopping, waking, and fences that make one hart's
// changes to page tables and to code seen by the others (SBI 2.0, chapters 7 to 10).
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;

#ifndef HARTS
#define HARTS 2
#endif
#ifndef ROUNDS
#define ROUNDS 300
#endif

struct result { long error; u64 value; };
static struct result call(u64 extension, u64 function, u64 a, u64 b, u64 c, u64 d) {
    register u64 a0 asm("a0") = a;
    register u64 a1 asm("a1") = b;
    register u64 a2 asm("a2") = c;
    register u64 a3 asm("a3") = d;
    register u64 a4 asm("a4") = 0;
    register u64 a6 asm("a6") = function;
    register u64 a7 asm("a7") = extension;
    asm volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7) : "memory");
    return (struct result){(long)a0, a1};
}
#define HSM 0x48534d
#define IPI 0x735049
#define FENCE 0x52464e43
#define RESET 0x53525354
enum { STARTED, STOPPED };

static void print(const char *text) {
    for (; *text; text++) *(volatile u8 *)0x10000000ul = *text;
}
static void fail(u32 line) {
    print("line ");
    for (u32 digit = 1000; digit; digit /= 10) {
        char text[2] = {'0' + line / digit % 10, 0};
        print(text);
    }
    print("\n");
    *(volatile u32 *)0x100000ul = 0x3333 | 1 << 16;
    for (;;) {}
}
#define CHECK(condition) do { if (!(condition)) fail(__LINE__); } while (0)
#define LOAD(place) __atomic_load_n(&(place), __ATOMIC_SEQ_CST)
#define STORE(place, value) __atomic_store_n(&(place), value, __ATOMIC_SEQ_CST)

extern char secondary_start[];
static u64 arrived, woken[64], seen[64], round;

static u64 tables[3][512] __attribute__((aligned(4096)));
static u64 pages[2][512] __attribute__((aligned(4096)));
static u32 code[1024] __attribute__((aligned(4096)));
#define PLACE 0x40000000ul

static u64 leaf(volatile void *physical, u64 flags) { return (u64)physical >> 12 << 10 | flags; }
static void map(void) {
    enum { V = 1, R = 2, W = 4, X = 8, A = 64, D = 128 };
    tables[0][0] = leaf(0, V | R | W | A | D);
    tables[0][2] = leaf((void *)0x80000000ul, V | R | W | X | A | D);
    tables[0][1] = leaf(tables[1], V);
    tables[1][0] = leaf(tables[2], V);
    tables[2][0] = leaf(pages[0], V | R | A);
}
static void translate(void) {
    asm volatile("csrw satp, %0\nsfence.vma" : : "r"(8ul << 60 | (u64)tables[0] >> 12) : "memory");
}

// Everybody but the first hart: says that it is there, waits for interrupts, then for rounds.
void secondary_main(u64 hart, u64 opaque) {
    CHECK(opaque == hart * 3 + 1);
    __atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
    asm volatile("csrs sie, %0" : : "r"(2ul));
    u64 pending = 0;
    while (!(pending & 2)) asm volatile("wfi\ncsrr %0, sip" : "=r"(pending));
    asm volatile("csrc sip, %0" : : "r"(2ul));
    STORE(woken[hart], 1);
    translate();
    // Both ways to what may be stale stay warm in between: the page's translation and the function's code.
    u64 last = 0;
    while (last < ROUNDS) {
        u64 now = LOAD(round);
        u64 value = *(volatile u64 *)PLACE;
        long (*function)(void) = (long (*)(void))code;
        long result = function();
        if (now == last) {
            asm volatile("pause");
            continue;
        }
        CHECK(value >= now);
        CHECK((u64)result >= now);
        last = now;
        STORE(seen[hart], now);
    }
    call(HSM, 1, 0, 0, 0, 0);
    fail(__LINE__);
}

static void wait_for_all(u64 *counters, u64 value, u64 self) {
    for (u64 hart = 0; hart < HARTS; hart++) {
        while (hart != self && LOAD(counters[hart]) < value) asm volatile("pause");
    }
}

void first_main(u64 self) {
    // 0x00000513 + number << 20: li a0, number.
    code[0] = 0x513;
    code[1] = 0x8067;
    map();
    for (u64 hart = 0; hart < HARTS; hart++) {
        if (hart == self) continue;
        CHECK(call(HSM, 2, hart, 0, 0, 0).value == STOPPED);
        CHECK(call(HSM, 0, hart, (u64)secondary_start, hart * 3 + 1, 0).error == 0);
    }
    CHECK(call(HSM, 2, HARTS, 0, 0, 0).error == -3);
    CHECK(call(HSM, 0, HARTS, (u64)secondary_start, 0, 0).error == -3);
    while (LOAD(arrived) < HARTS - 1) asm volatile("pause");
    for (u64 hart = 0; hart < HARTS; hart++) {
        CHECK(call(HSM, 2, hart, 0, 0, 0).value == STARTED);
        CHECK(call(HSM, 0, hart, (u64)secondary_start, 0, 0).error == -6);
    }
    // One at a time, through the mask and its base.
    for (u64 hart = 0; hart < HARTS; hart++) {
        if (hart == self) continue;
        CHECK(LOAD(woken[hart]) == 0);
        CHECK(call(IPI, 0, 1ul << hart % 8, hart / 8 * 8, 0, 0).error == 0);
        while (!LOAD(woken[hart])) asm volatile("pause");
    }
    translate();
    for (u64 number = 1; number <= ROUNDS; number++) {
        // The page that is not mapped gets the number, and takes the other's place; so does the code.
        u64 *page = pages[number % 2];
        page[0] = number;
        STORE(tables[2][0], leaf(page, 1 | 2 | 64));
        asm volatile("sfence.vma" : : : "memory");
        STORE(code[0], 0x513 | (u32)number << 20);
        asm volatile("fence.i" : : : "memory");
        // All harts at once: by a base of -1, or by name.
        u64 mask = number % 2 ? 0 : HARTS == 64 ? -1ul : (1ul << HARTS) - 1, base = number % 2 ? -1ul : 0;
        // The place alone, with neighbours, a part of it, many pages, or all; for the one address space that there is, too.
        struct { u64 start, size; } ranges[] = {
            { PLACE, 4096 }, { PLACE - 4096, 3 * 4096 }, { PLACE + 8, 8 }, { PLACE, 65 * 4096 }, { 0, 0 }, { 0, -1ul },
        };
        u64 kind = number / 2 % 6;
        CHECK(call(FENCE, 1 + number / 12 % 2, mask, base, ranges[kind].start, ranges[kind].size).error == 0);
        CHECK(call(FENCE, 0, mask, base, 0, 0).error == 0);
        STORE(round, number);
        wait_for_all(seen, number, self);
    }
    for (u64 hart = 0; hart < HARTS; hart++) {
        while (hart != self && call(HSM, 2, hart, 0, 0, 0).value != STOPPED) asm volatile("pause");
    }
    print("all harts answered\n");
    call(RESET, 0, 0, 0, 0, 0);
    fail(__LINE__);
}
