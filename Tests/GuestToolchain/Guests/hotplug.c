// The driver of the first hot-plug slot on PCI, by polling: it takes what is plugged in, uses a disk, and lets go of it when the slot's
// button is pressed. Variants: STUBBORN never lets go; TOGGLING switches the slot's power off and on for ever; RESETTING asks for a reset of
// the machine instead.
#include "guest.h"

#define PORT 0x300f8000ul
#define CARD 0x30100000ul
#define REGISTERS 0x40000000ul
#define SECTOR 512

// Bits of slot status and control.
enum { BUTTON = 1, PRESENCE = 8, COMPLETED = 16, PRESENT = 64, LINK = 256, POWER_OFF = 1024 };
enum { READ = 0, WRITE = 1 };

static u16 get16(u64 address) { return *(volatile u16 *)address; }
static void put16(u64 address, u16 value) { *(volatile u16 *)address = value; }
static void put8(u64 address, u8 value) { *(volatile u8 *)address = value; }

static u64 express;
static u16 status(void) { return get16(express + 0x1a); }
static void clear(u16 events) { put16(express + 0x1a, events); }
static void set_power(int on) {
    put16(express + 0x18, on ? 0 : POWER_OFF);
    EXPECT(status() & COMPLETED, COMPLETED);
    clear(COMPLETED);
}

static void find_port(void) {
    EXPECT(get32(PORT), 0x000c1b36);
    u64 place = get8(PORT + 0x34);
    while (place != 0 && get8(PORT + place) != 0x10) place = get8(PORT + place + 1);
    EXPECT(place != 0, 1);
    express = PORT + place;
    put32(PORT + 0x18, 0x010100);
    put32(PORT + 0x20, 0x40004000);
    put16(PORT + 4, 6);
}

static struct { u64 address; u32 length; u16 flags, next; } descriptors[4] __attribute__((aligned(16)));
static volatile struct { u16 flags, index, ring[4], event; } available __attribute__((aligned(2)));
static volatile struct { u16 flags, index; struct { u32 id, length; } ring[4]; u16 event; } used __attribute__((aligned(4)));
static struct { u32 type, reserved; u64 sector; } header;
static u8 data[SECTOR + 1];
static volatile u8 result;

static void start_disk(void) {
    put8(REGISTERS + 0x14, 0);
    put8(REGISTERS + 0x14, 3);
    put32(REGISTERS + 0x08, 1);
    put32(REGISTERS + 0x0c, 1); // version 1
    put8(REGISTERS + 0x14, 11);
    EXPECT(get8(REGISTERS + 0x14), 11);
    put16(REGISTERS + 0x16, 0);
    put16(REGISTERS + 0x18, 4);
    put64(REGISTERS + 0x20, (u64)descriptors);
    put64(REGISTERS + 0x28, (u64)&available);
    put64(REGISTERS + 0x30, (u64)&used);
    available.index = used.index = 0;
    put16(REGISTERS + 0x1c, 1);
    put8(REGISTERS + 0x14, 15);
}

static void transfer(u32 type, u64 sector) {
    header.type = type;
    header.sector = sector;
    result = 0xff;
    descriptors[0].address = (u64)&header, descriptors[0].length = 16, descriptors[0].flags = 1, descriptors[0].next = 1;
    descriptors[1].address = (u64)data, descriptors[1].length = SECTOR, descriptors[1].flags = type == READ ? 3 : 1;
    descriptors[1].next = 2;
    descriptors[2].address = (u64)&result, descriptors[2].length = 1, descriptors[2].flags = 2;
    available.ring[available.index % 4] = 0;
    u16 end = available.index + 1;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    available.index = end;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    put16(REGISTERS + 0x3000, 0);
    while (used.index != end) {}
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    EXPECT(result, 0);
}

// Prints the text of the first sector, and writes it to the second one.
static void use_disk(void) {
    start_disk();
    transfer(READ, 0);
    data[16] = 0;
    print("disk ");
    print((const char *)data);
    transfer(WRITE, 1);
    print("\n");
}

static u32 take(void) {
    set_power(1);
    EXPECT(get16(express + 0x12) >> 13 & 1, 1);
    put32(CARD + 0x10, REGISTERS);
    put32(CARD + 0x14, 0);
    put16(CARD + 4, 6);
    u32 type = get32(CARD) >> 16;
    if (type == 0x1042) use_disk();
    if (type == 0x1041) print("network card\n");
    return type;
}

static void let_go(void) {
#ifdef STUBBORN
    print("asked\n");
#elif defined(RESETTING)
    print("reset\n");
    put32(FINISHER, 0x7777);
    for (;;) {}
#else
    set_power(0);
    EXPECT(get32(CARD), 0xffffffff);
    EXPECT(get16(REGISTERS + 0x12), 0xffff);
    EXPECT(status() & PRESENT, 0);
    print("gone\n");
#endif
}

#ifdef TOGGLING
static void toggle(void) {
    u32 type = 0xffffffff;
    set_power(1);
    type = get32(CARD);
    put32(CARD + 0x10, REGISTERS);
    put16(CARD + 4, 6);
    if (type != 0xffffffff) put8(REGISTERS + 0x14, 3);
    set_power(0);
}
#endif

int main(void) {
    find_port();
    print(status() & PRESENT ? "ready, and a card is there\n" : "ready\n");
    u32 type = 0;
#ifndef TOGGLING
    if (status() & PRESENT) type = take();
#endif
    clear(0xffff);
    while (!is_told_to_end()) {
#ifdef TOGGLING
        toggle();
        continue;
#endif
        if (type == 0x1042) transfer(READ, 0);
        u16 events = status();
        clear(events & (BUTTON | PRESENCE | LINK));
        if (events & PRESENCE && events & PRESENT) type = take();
        else if (events & BUTTON) {
            let_go();
            clear(0xffff);
#ifndef STUBBORN
            type = 0;
#endif
        }
    }
    pass();
}
