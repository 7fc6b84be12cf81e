// Helpers of bare x86-64 programs: ports, memory-mapped registers, the serial port.
#pragma once

#include "../kernel.h"

static inline void out8(u16 port, u8 value) { __asm__ volatile("out %0, %1" : : "a"(value), "Nd"(port)); }
static inline u32 read32(u64 address) { return *(volatile u32 *)address; }
static inline u16 read16(u64 address) { return *(volatile u16 *)address; }
static inline u8 read8(u64 address) { return *(volatile u8 *)address; }
static inline void write32(u64 address, u32 value) { *(volatile u32 *)address = value; }
static inline void write16(u64 address, u16 value) { *(volatile u16 *)address = value; }
static inline void write8(u64 address, u8 value) { *(volatile u8 *)address = value; }

static inline void print(const char *text) {
    while (*text) out8(0x3F8, (u8)*text++);
}
