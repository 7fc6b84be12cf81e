// A driver for a virtio disk on PCI: finds it, moves its registers, reads and writes sectors, is told by messages.
#include "guest.h"

#define ECAM 0xE0000000UL
#define HIGH 0x400000000UL
#define VECTOR 0x40

static struct { u64 address; u32 length; u16 flags, next; } descriptors[8] __attribute__((aligned(16)));
static struct { u16 flags, index, ring[8], event; } available __attribute__((aligned(2)));
static volatile struct { u16 flags, index; struct { u32 id, length; } ring[8]; u16 event; } used __attribute__((aligned(4)));
static struct { u32 type, reserved; u64 sector; } request;
static volatile u8 status;
static u8 buffer[512] __attribute__((aligned(512)));
static volatile u32 interrupts;

void on_interrupt(void) {
    interrupts++;
    end_interrupt();
}

static u64 find(u16 device) {
    for (u64 slot = 0; slot < 32; slot++) {
        u64 space = ECAM + (slot << 15);
        if (read32(space) == ((u32)device << 16 | 0x1AF4)) return space;
    }
    return 0;
}

static u64 common, notify, bars[4];
static u64 high_directory[512] __attribute__((aligned(4096)));

// Maps 2 MiB of the addresses from 16 GiB on, where this machine has its window for registers of 64 bits.
static void map_high(void) {
    u64 *map;
    __asm__ volatile("mov %%cr3, %0" : "=r"(map));
    u64 *directories = (u64 *)(map[0] & ~0xFFFUL);
    high_directory[0] = HIGH | 0x83;
    directories[HIGH >> 30] = (u64)high_directory | 3;
}

static u32 size_of(u64 bar) {
    write32(bar, 0xFFFFFFFF);
    return ~(read32(bar) & ~0xFU) + 1;
}

// Sizes and places the registers, and finds the structures in them.
static void place(u64 space) {
    u64 wide = space + 0x10, low = space + 0x18;
    print("kinds ");
    print_hex(read32(wide) & 0xF);
    print(" ");
    print_hex(read32(low) & 0xF);
    print(" sizes ");
    print_hex(size_of(wide));
    print(" ");
    print_hex(size_of(low));
    bars[2] = 0xC8100000;
    write32(low, bars[2]);
    // First below 4 GiB, then above: the number of queues is read there and no longer here.
    write32(wide, 0xC8000000);
    write32(wide + 4, 0);
    write16(space + 4, 6);
    print("\nqueues ");
    print_hex(read16(0xC8000012));
    map_high();
    bars[0] = HIGH + 0x100000;
    write32(wide, (u32)bars[0]);
    write32(wide + 4, bars[0] >> 32);
    print(" ");
    print_hex(read16(bars[0] + 0x12));
    print(" ");
    print_hex(read16(0xC8000012));
    print("\n");
    for (u8 at = read8(space + 0x34); at; at = read8(space + at + 1)) {
        if (read8(space + at) == 0x11) {
            u16 control = read16(space + at + 2);
            print("vectors ");
            print_hex((control & 0x7FF) + 1);
            print("\n");
            write16(space + at + 2, control | 0x8000);
        }
        if (read8(space + at) != 9) continue;
        u64 base = bars[read8(space + at + 4) & 3] + read32(space + at + 8);
        if (read8(space + at + 3) == 1) common = base;
        if (read8(space + at + 3) == 2) notify = base;
    }
}

static void transfer(u32 type, u64 sector, u32 expected) {
    request.type = type;
    request.sector = sector;
    status = 0xFF;
    descriptors[0].address = (u64)&request;
    descriptors[0].length = 16;
    descriptors[0].flags = 1;
    descriptors[0].next = 1;
    descriptors[1].address = (u64)buffer;
    descriptors[1].length = 512;
    descriptors[1].flags = type ? 1 : 3;
    descriptors[1].next = 2;
    descriptors[2].address = (u64)&status;
    descriptors[2].length = 1;
    descriptors[2].flags = 2;
    available.ring[available.index % 8] = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    *(volatile u16 *)&available.index = available.index + 1;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    write16(notify, 0);
    while (interrupts < expected) __asm__ volatile("sti; hlt; cli");
}

void guest_main(void) {
    u64 space = find(0x1042);
    if (!space) {
        print("no disk\n");
        return;
    }
    take_interrupts(VECTOR);
    place(space);
    write32(bars[2] + 0, (u32)LAPIC);
    write32(bars[2] + 4, 0);
    write32(bars[2] + 8, VECTOR);
    write32(bars[2] + 12, 0);

    write8(common + 0x14, 0);
    write8(common + 0x14, 1);
    write8(common + 0x14, 3);
    write32(common + 0x08, 1);
    write32(common + 0x0C, 1); // VERSION_1
    write8(common + 0x14, 11);
    write16(common + 0x16, 0);
    write16(common + 0x18, 8);
    write16(common + 0x1A, 0);
    write32(common + 0x20, (u32)(u64)descriptors);
    write32(common + 0x28, (u32)(u64)&available);
    write32(common + 0x30, (u32)(u64)&used);
    write16(common + 0x1C, 1);
    write8(common + 0x14, 15);
    print("status ");
    print_hex(read8(common + 0x14));
    print("\n");

    transfer(0, 1, 1);
    print("read ");
    print_hex(status);
    print(" ");
    buffer[16] = 0;
    print((const char *)buffer);
    for (int i = 0; i < 512; i++) buffer[i] = (u8)(i ^ 0x5A);
    transfer(1, 2, 2);
    print("\nwrite ");
    print_hex(status);
    print(" interrupts ");
    print_hex(interrupts);
    print("\n");
}
