// Runs from the first flash bank, which is read-only, and uses the second one, whose contents are kept from the first run to the
// second. Nothing of it is in memory but its stack.
#include "guest.h"

#define BANK0 0x20000000ul
#define BANK1 0x22000000ul
#define BLOCK 0x40000ul
#define BUFFER 256u // words
#define CODE (BANK1 + 4 * BLOCK)

enum { PROGRAM = 0x40, ERASE = 0x20, CONFIRM = 0xd0, CLEAR = 0x50, STATUS = 0x70, QUERY = 0x98, BUFFERED = 0xe8, ARRAY = 0xff };

static void command(u64 address, u32 code) { put32(address, code << 16 | code); }

// Waits for the end of what the bank does, and lets it read as memory again.
static u32 finish(u64 bank) {
    u32 status;
    do {
        command(bank, STATUS);
        status = get32(bank);
    } while (!(status & 0x80));
    EXPECT(status >> 16, status & 0xffff);
    command(bank, CLEAR);
    command(bank, ARRAY);
    return status & 0xff;
}

static u32 program(u64 address, u32 value) {
    command(address, PROGRAM);
    put32(address, value);
    return finish(address & ~0x1fffffful);
}

static u32 erase(u64 address) {
    command(address, ERASE);
    command(address, CONFIRM);
    return finish(address & ~0x1fffffful);
}

static u32 pattern(u64 address) { return (u32)(address * 2654435761u) ^ 0x5aa5u; }

static void program_block(u64 block) {
    for (u64 start = block; start < block + BLOCK; start += 4 * BUFFER) {
        command(start, BUFFERED);
        EXPECT(get32(start) & 0x80, 0x80);
        command(start, BUFFER - 1);
        for (u64 word = start; word < start + 4 * BUFFER; word += 4) put32(word, pattern(word));
        command(start, CONFIRM);
        EXPECT(finish(BANK1), 0x80);
    }
}

static void check_block(u64 block) {
    for (u64 word = block; word < block + BLOCK; word += 4) EXPECT(get32(word), pattern(word));
}

static void query(u64 bank) {
    command(bank + 0x55 * 4, QUERY);
    EXPECT(get32(bank + 0x10 * 4), 0x00510051);
    EXPECT(get32(bank + 0x11 * 4), 0x00520052);
    EXPECT(get32(bank + 0x12 * 4), 0x00590059);
    EXPECT(get32(bank + 0x27 * 4), 0x00180018);
    command(bank, ARRAY);
}

// Functions that return numbers, in cells that are erased and programmed again.
static u64 call(u64 address) { return ((u64 (*)(void))address)(); }

static void run_code(void) {
    for (u32 number = 1; number < 20; number++) {
        EXPECT(erase(CODE), 0x80);
        EXPECT(get64(CODE), ~0ul);
        EXPECT(program(CODE, 0x00000513 | number << 20), 0x80); // li a0, number
        EXPECT(program(CODE + 4, 0x00008067), 0x80);            // ret
        fence_code();
        u64 sum = 0;
        for (int index = 0; index < 100; index++) sum += call(CODE);
        EXPECT(sum, 100 * number);
    }
}

static void first_run(void) {
    // The bank is what the host's file had: erased.
    EXPECT(get64(BANK1 + 8), ~0ul);
    EXPECT(program(BANK1 + 8, 0x12345678), 0x80);
    EXPECT(program(BANK1 + 8, 0xffff00ff), 0x80); // only clears bits
    program_block(BANK1 + BLOCK);
    check_block(BANK1 + BLOCK);
    program_block(BANK1 + 2 * BLOCK);
    EXPECT(erase(BANK1 + 2 * BLOCK), 0x80);
    EXPECT(program(BANK1 + 0x2000000 - 4, 0x600d600d), 0x80);
    run_code();
    EXPECT(program(BANK1, 1), 0x80);
    print("first\n");
}

static void second_run(void) {
    EXPECT(get32(BANK1 + 8), 0x12340078);
    EXPECT(get32(BANK1 + 12), 0xffffffff);
    check_block(BANK1 + BLOCK);
    for (u64 word = BANK1 + 2 * BLOCK; word < BANK1 + 3 * BLOCK; word += 8) EXPECT(get64(word), ~0ul);
    EXPECT(get32(BANK1 + 0x2000000 - 4), 0x600d600d);
    EXPECT(call(CODE), 19);
    print("second\n");
}

int main(void) {
    query(BANK0);
    query(BANK1);
    // Loads of any alignment work as from memory.
    u64 low = get64(BANK0), high = get64(BANK0 + 8);
    for (int shift = 1; shift < 8; shift++)
        EXPECT(load_64(BANK0 + shift), low >> 8 * shift | high << (64 - 8 * shift));
    // The cells of a read-only bank stay: an error in programming, an error in erasing, and the lock.
    EXPECT(program(BANK0 + 0x1000000, 0), 0x92);
    EXPECT(erase(BANK0 + 0x1000000), 0xa2);
    EXPECT(get32(BANK0), (u32)low);
    // Erased behind the end of the file.
    EXPECT(get64(BANK0 + 0x1fffff8), ~0ul);
    // Only a device's command interface takes stores; atomics need memory.
    me()->cause = NONE;
    asm volatile("amoadd.w zero, zero, (%0)" : : "r"(BANK1) : "memory");
    EXPECT(caught(), STORE_ACCESS);
    if (get32(BANK1) == 0xffffffff) first_run(); else second_run();
    return 0;
}
