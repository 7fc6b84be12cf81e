// A guest's interrupts of devices, by its PLIC, which are hart 0's.
#ifndef INTERRUPTS_H
#define INTERRUPTS_H
#include "guest.h"

static inline u32 get(u64 address) { return *(volatile u32 *)address; }
static inline void set(u64 address, u32 value) { *(volatile u32 *)address = value; }
static inline u8 get8(u64 address) { return *(volatile u8 *)address; }
static inline void set8(u64 address, u8 value) { *(volatile u8 *)address = value; }
static inline void fence(void) { __asm__ volatile("fence iorw, iorw" : : : "memory"); }

// Lets WFI end for the device's interrupt `source`; interrupts stay off, so that none is taken.
static inline void listen(u32 source) {
    set(0x0c000000 + 4 * source, 1);
    set(0x0c002000, get(0x0c002000) | 1u << source);
    __asm__ volatile("csrs sie, %0" : : "r"(1 << 9));
}

static inline void await_interrupt(void) { __asm__ volatile("wfi"); }

// The source that is claimed; 0: none.
static inline u32 claim(void) { return get(0x0c200004); }
static inline void complete(u32 source) { set(0x0c200004, source); }

#endif
