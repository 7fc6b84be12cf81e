// Writes to the first flash bank, and again after a byte was typed. The bank's file may be another one by then, with the same contents.
#include "guest.h"

#define BANK 0x20000000ul

enum { PROGRAM = 0x40, CLEAR = 0x50, STATUS = 0x70, ARRAY = 0xff };

static void command(u64 address, u32 code) { put32(address, code << 16 | code); }

static u32 program(u64 address, u32 value) {
    u32 status;
    command(address, PROGRAM);
    put32(address, value);
    do {
        command(BANK, STATUS);
        status = get32(BANK);
    } while (!(status & 0x80));
    command(BANK, CLEAR);
    command(BANK, ARRAY);
    return status & 0xff;
}

int main(void) {
    EXPECT(program(BANK + 64, 0x12345678), 0x80);
    print(".");
    while (!is_told_to_end()) {}
    EXPECT(get32(BANK + 64), 0x12345678);
    EXPECT(program(BANK + 68, 0x600d600d), 0x80);
    pass();
}
