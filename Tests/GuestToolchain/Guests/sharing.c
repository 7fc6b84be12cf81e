// Code that several harts execute while one of them rewrites it, function by function: after its own FENCE.I a hart sees at
// least what was published before, and never anything that was not written (Unprivileged Architecture 7).
#include "guest.h"

#define HARTS 4
#define FUNCTIONS 64
#define ROUNDS 960 // what fits into an immediate

// addi a0, x0, round; j past; ebreak; past: ret
static u32 code[FUNCTIONS][4] __attribute__((aligned(4096)));
static u64 published __attribute__((aligned(64)));
static u64 arrived __attribute__((aligned(64)));

static u32 load_immediate(u32 value) { return value << 20 | 10 << 7 | 0x13; }
static u64 call(int function) { return ((u64 (*)(void))code[function])(); }

// The last round up to `round` that wrote a function; 0 when none did.
static u64 last_round(int function, u64 round) {
    u64 step = (round + FUNCTIONS - function) % FUNCTIONS;
    return round < step ? 0 : round - step;
}

static void check(u64 seen) {
    for (int function = 0; function < FUNCTIONS; function++) {
        u64 least = last_round(function, seen);
        // Twice, so that what was just made is entered again.
        u64 first = call(function), second = call(function);
        u64 most = __atomic_load_n(&published, __ATOMIC_ACQUIRE) + 1;
        EXPECT(first >= least && first <= most, 1);
        EXPECT(first == 0 || first % FUNCTIONS == function, 1);
        EXPECT(second >= least && second <= most, 1);
        EXPECT(second == 0 || second % FUNCTIONS == function, 1);
    }
}

static void write(void) {
    for (u64 round = 1; round <= ROUNDS; round++) {
        *(volatile u32 *)code[round % FUNCTIONS] = load_immediate(round);
        __atomic_store_n(&published, round, __ATOMIC_RELEASE);
        if (round % 8 == 0) {
            fence_code();
            check(round);
        }
    }
}

static void execute(void) {
    u64 seen;
    do {
        seen = __atomic_load_n(&published, __ATOMIC_ACQUIRE);
        fence_code();
        check(seen);
    } while (seen < ROUNDS);
    __atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
}

void secondary_main(void) {
    while (!__atomic_load_n(&published, __ATOMIC_ACQUIRE)) asm volatile("pause");
    execute();
    for (;;) asm volatile("wfi");
}

int main(void) {
    for (int function = 0; function < FUNCTIONS; function++) {
        code[function][0] = load_immediate(0);
        code[function][1] = 0x0080006f;
        code[function][2] = 0x00100073;
        code[function][3] = 0x00008067;
    }
    fence_code();
    write();
    while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < HARTS - 1) asm volatile("pause");
    fence_code();
    for (int function = 0; function < FUNCTIONS; function++) EXPECT(call(function), last_round(function, ROUNDS));
    pass();
}
