// Interrupts of devices, which hart 0 gets by the guest's PLIC, or by messages to its interrupt file if the device tree has files.
#ifndef INTERRUPTS_H
#define INTERRUPTS_H
#include "guest.h"

static inline u32 get(u64 address) { return *(volatile u32 *)address; }
static inline void set(u64 address, u32 value) { *(volatile u32 *)address = value; }
static inline u8 get8(u64 address) { return *(volatile u8 *)address; }
static inline void set8(u64 address, u8 value) { *(volatile u8 *)address = value; }
static inline void fence(void) { __asm__ volatile("fence iorw, iorw" : : : "memory"); }

#define APLIC 0x0d000000ul
// The interrupt file of a hart, where a message is a store of its identity.
#define FILE(hart) (0x28000000ul + 0x1000ul * (hart))
#define FILE_DELIVERY 0x70
#define FILE_PENDING 0x80
#define FILE_ENABLED 0xc0

// A register of the hart's own interrupt file, by siselect and sireg.
static inline u64 file_get(u64 number) {
    u64 value;
    __asm__ volatile("csrw 0x150, %1\n csrr %0, 0x151" : "=r"(value) : "r"(number) : "memory");
    return value;
}
static inline void file_set(u64 number, u64 bits) {
    __asm__ volatile("csrw 0x150, %0\n csrs 0x151, %1" : : "r"(number), "r"(bits) : "memory");
}
// The identity that stopei has, claimed; 0: none.
static inline u32 file_claim(void) {
    u64 top;
    __asm__ volatile("csrrw %0, 0x15c, zero" : "=r"(top) : : "memory");
    return (u32)(top >> 16);
}

static inline int has_files(void) {
    static int known;
    static const char name[] = "riscv,imsics";
    const volatile char *tree = (const volatile char *)device_tree;
    for (int place = 0; !known && place < 0x6000; place++) {
        int length = 0;
        while (length < 12 && tree[place + length] == name[length]) length++;
        if (length == 12) known = 1;
    }
    if (!known) known = -1;
    return known > 0;
}

// Lets messages with an identity, from 1 to 63, interrupt this hart.
static inline void listen_to_messages(u32 identity) {
    file_set(FILE_ENABLED, 1ul << identity);
    file_set(FILE_DELIVERY, 1);
    __asm__ volatile("csrs sie, %0" : : "r"(1 << 9));
}

// Lets WFI end for the device's interrupt `source`; interrupts stay off, so that none is taken. A message's identity is its source; virtio
// devices have edges (mode 4), the UART has a level (6).
static inline void listen(u32 source) {
    if (has_files()) {
        set(APLIC + 4 * source, source == 10 ? 6 : 4);
        set(APLIC + 0x3000 + 4 * source, source);
        set(APLIC + 0x1edc, source);
        set(APLIC, 0x104);
        return listen_to_messages(source);
    }
    set(0x0c000000 + 4 * source, 1);
    set(0x0c002000, get(0x0c002000) | 1u << source);
    __asm__ volatile("csrs sie, %0" : : "r"(1 << 9));
}

static inline void await_interrupt(void) { __asm__ volatile("wfi"); }

// The source that is claimed; 0: none.
static inline u32 claim(void) { return has_files() ? file_claim() : get(0x0c200004); }
static inline void complete(u32 source) {
    if (!has_files()) set(0x0c200004, source);
    // A level that is still high sends another message.
    else if (source == 10) set(APLIC + 0x1cdc, source);
}

// Messages between harts: a store of identity 20 to the other hart's interrupt file, or a call of SBI.
static inline void listen_to_harts(void) {
    if (has_files()) listen_to_messages(20); else __asm__ volatile("csrsi sie, 2");
}
static inline void send_message(u64 hart) {
    fence();
    if (has_files()) set(FILE(hart), 20); else sbi(IPI, 0, 1ul << hart, 0, 0, 0);
}
// Waits for an interrupt that sie lets through, and forgets messages: what they are about is in memory.
static inline void await_message(void) {
    __asm__ volatile("wfi" : : : "memory");
    if (has_files()) file_claim(); else __asm__ volatile("csrci sip, 2" : : : "memory");
}

#endif
