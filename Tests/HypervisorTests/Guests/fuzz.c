#include "virtio.h"

void second(void) { }

// Memory that a device may write without harm to this program.
#define ARENA 0x80400000ul
#define ARENA_SIZE 0x200000ul

static u64 place(void) {
    switch (random() % 16) {
    case 0: return random() & 0xffffffff;
    case 1: return random();
    case 2: return 0x80800000 - random() % 8192;
    default: return ARENA + (random() % ARENA_SIZE & ~15ul);
    }
}

// The queues lie at fixed places of the arena, so that what is written there means something to the device.
static u64 ring(u32 index, u32 part) { return ARENA + index * 0x10000 + part * 0x4000; }

static void scribble(void) {
    u32 index = random() & 1;
    u64 base = ring(index, 0) + random() % 16 * 16;
    *(volatile u64 *)base = place();
    *(volatile u32 *)(base + 8) = (u32)(random() % 4 ? random() % 5000 : random());
    *(volatile u16 *)(base + 12) = (u16)(random() % 8 ? random() & 3 : random());
    *(volatile u16 *)(base + 14) = (u16)(random() % 8 ? random() % 16 : random());
    volatile u16 *available = (volatile u16 *)ring(index, 1);
    available[2 + random() % 16] = (u16)(random() % 16 ? random() % 16 : random());
    // A header for requests that begin in descriptor 0.
    *(volatile u32 *)(ARENA + 0x1fff00) = (u32)(random() % 5);
    *(volatile u64 *)(ARENA + 0x1fff08) = random() % 64;
    if (random() % 3 == 0) {
        *(volatile u64 *)ring(index, 0) = ARENA + 0x1fff00;
        *(volatile u64 *)(ring(index, 0) + 8) = 16 | 1ul << 32 | 1ul << 48;
        available[2 + (available[1] & 15)] = 0;
    }
    available[1] = (u16)(random() % 16 ? available[1] + 1 : random());
}

static void start(u64 window, u32 queues) {
    begin(window, window == DISK ? 1 << 9 : 1 << 5);
    for (u32 index = 0; index < queues; index++) {
        set(window + 0x30, index);
        set(window + 0x38, random() % 8 ? 16 : (u32)random());
        for (u32 part = 0; part < 3; part++) {
            u64 address = random() % 32 ? ring(index, part) : place();
            set(window + 0x80 + part * 16, (u32)address);
            set(window + 0x84 + part * 16, (u32)(address >> 32));
        }
        // The device starts at index 0.
        *(volatile u32 *)ring(index, 1) = 0;
        enable(window, index);
    }
    go(window);
}

// Bounded: 20000 stores to registers and queues, most of them nearly valid.
void main(void) {
    for (int round = 0; round < 20000; round++) {
        u64 window = random() & 1 ? DISK : CARD;
        switch (random() % 32) {
        case 0: start(window, window == DISK ? 1 : 2); break;
        case 1: set(window + (random() & 0xffc), (u32)random()); break;
        case 2: *(volatile u8 *)(window + (random() & 0xfff)) = (u8)random(); break;
        case 3: *(volatile u64 *)(window + (random() & 0xff8)); break;
        case 4: get(window + (random() & 0xffc)); break;
        case 5: if (get(window + 0x70) & NEEDS_RESET) start(window, window == DISK ? 1 : 2); break;
        default:
            scribble();
            set(window + 0x50, random() & 1);
        }
    }
    say("fuzz done\n");
    off();
}
