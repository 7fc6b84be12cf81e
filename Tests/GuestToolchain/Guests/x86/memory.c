// A driver for a virtio memory device on PCI: plugs what the host asks for, uses it, and unplugs a block.
#include "guest.h"

#define ECAM 0xE0000000UL
#define REGISTERS 0xC8000000UL
#define BLOCK 0x200000UL

enum { PLUG, UNPLUG, UNPLUG_ALL, STATE };

static struct { u64 address; u32 length; u16 flags, next; } descriptors[2] __attribute__((aligned(16)));
static struct { u16 flags, index, ring[2], event; } available __attribute__((aligned(2)));
static volatile struct { u16 flags, index; struct { u32 id, length; } ring[2]; u16 event; } used __attribute__((aligned(4)));
static struct { u64 type, address, count; } request;
static volatile struct { u16 type, padding[3], state; } response;
static u64 common, notify, device;
static u64 directory[512] __attribute__((aligned(4096)));

void on_interrupt(void) {}

static u64 find(u16 number) {
    for (u64 slot = 0; slot < 32; slot++) {
        u64 space = ECAM + (slot << 15);
        if (read32(space) == ((u32)number << 16 | 0x1AF4)) return space;
    }
    return 0;
}

// Places the registers, and finds the structures in them.
static void place(u64 space) {
    write32(space + 0x10, (u32)REGISTERS);
    write32(space + 0x14, 0);
    write16(space + 4, 6);
    for (u8 at = read8(space + 0x34); at; at = read8(space + at + 1)) {
        if (read8(space + at) != 9) continue;
        u64 base = REGISTERS + read32(space + at + 8);
        if (read8(space + at + 3) == 1) common = base;
        if (read8(space + at + 3) == 2) notify = base;
        if (read8(space + at + 3) == 4) device = base;
    }
}

static u64 configuration(u64 offset) {
    return read32(device + offset) | (u64)read32(device + offset + 4) << 32;
}

// Maps the first blocks of the region.
static void map(u64 region) {
    u64 *root;
    __asm__ volatile("mov %%cr3, %0" : "=r"(root));
    for (u64 block = 0; block < 8; block++) directory[block] = (region + block * BLOCK) | 0x83;
    ((u64 *)(root[0] & ~0xFFFUL))[region >> 30] = (u64)directory | 3;
}

static void ask(u64 type, u64 address, u64 count) {
    request.type = type;
    request.address = address;
    request.count = count;
    u16 before = used.index;
    available.ring[available.index % 2] = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    *(volatile u16 *)&available.index = available.index + 1;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    write16(notify, 0);
    while (used.index == before) __asm__ volatile("pause");
    print(" ");
    print_hex(response.type);
}

static void show(const char *word, u64 value) {
    print(word);
    print_hex(value);
}

void guest_main(void) {
    u64 space = find(0x1058);
    if (!space) {
        print("no memory device\n");
        return;
    }
    place(space);
    write8(common + 0x14, 0);
    write8(common + 0x14, 1);
    write8(common + 0x14, 3);
    write32(common + 0x08, 1);
    write32(common + 0x0C, 1); // VERSION_1
    write8(common + 0x14, 11);
    descriptors[0].address = (u64)&request;
    descriptors[0].length = 24;
    descriptors[0].flags = 1;
    descriptors[0].next = 1;
    descriptors[1].address = (u64)&response;
    descriptors[1].length = 10;
    descriptors[1].flags = 2;
    write16(common + 0x16, 0);
    write16(common + 0x18, 2);
    write32(common + 0x20, (u32)(u64)descriptors);
    write32(common + 0x28, (u32)(u64)&available);
    write32(common + 0x30, (u32)(u64)&used);
    write16(common + 0x1C, 1);
    write8(common + 0x14, 15);

    u64 region = configuration(16);
    u64 requested = configuration(48);
    show("region ", region);
    show(" ", configuration(24));
    show(" requested ", requested);
    map(region);
    volatile u64 *second = (volatile u64 *)(region + BLOCK);
    print("\nplug");
    ask(PLUG, region, requested / BLOCK);
    ask(PLUG, region + requested, 1);
    *second = 0x1234;
    show(" holds ", *second);
    show(" plugged ", configuration(40));
    print("\nunplug");
    ask(UNPLUG, region + BLOCK, 1);
    ask(UNPLUG, region + BLOCK, 1);
    show(" holds ", *second);
    show(" plugged ", configuration(40));
    print("\nstate");
    ask(STATE, region, 2);
    show(" ", response.state);
    print("\n");
}
