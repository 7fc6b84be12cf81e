// What bare x86-64 programs have: ports, memory registers, the serial port.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

static inline void out8(u16 port, u8 value) { __asm__ volatile("out %0, %1" : : "a"(value), "Nd"(port)); }
static inline u8 in8(u16 port) {
    u8 value;
    __asm__ volatile("in %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline u32 read32(u64 address) { return *(volatile u32 *)address; }
static inline void write32(u64 address, u32 value) { *(volatile u32 *)address = value; }
static inline u16 read16(u64 address) { return *(volatile u16 *)address; }
static inline void write16(u64 address, u16 value) { *(volatile u16 *)address = value; }
static inline u8 read8(u64 address) { return *(volatile u8 *)address; }
static inline void write8(u64 address, u8 value) { *(volatile u8 *)address = value; }

static inline void print(const char *text) {
    while (*text) {
        while (!(in8(0x3FD) & 0x20)) {}
        out8(0x3F8, (u8)*text++);
    }
}

static inline void print_hex(u64 value) {
    char text[17];
    int place = 16;
    text[16] = 0;
    do {
        text[--place] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value);
    print(text + place);
}

#define LAPIC 0xFEE00000UL

extern void enter_handler(void);

// Turns the local APIC on, and leads a vector to the program's `on_interrupt`.
static inline void take_interrupts(int vector) {
    static u64 table[512] __attribute__((aligned(16)));
    struct { u16 limit; u64 base; } __attribute__((packed)) pointer = {4095, (u64)table};
    u64 handler = (u64)enter_handler;
    table[2 * vector] = (handler & 0xFFFF) | 8UL << 16 | 0x8E00UL << 32 | (handler >> 16 & 0xFFFF) << 48;
    table[2 * vector + 1] = handler >> 32;
    __asm__ volatile("lidt %0" : : "m"(pointer));
    write32(LAPIC + 0xF0, 0x1FF);
}

static inline void end_interrupt(void) { write32(LAPIC + 0xB0, 0); }
