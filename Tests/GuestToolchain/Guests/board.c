// The board as drivers find it after power-on: identities and reset values of registers, and what firmware looks for. With
// the same checks on QEMU's `virt`. VERSION is that of virtio-mmio; DEVICES, the kinds in its slots; FUNCTION, whether the
// PCI bus has a function in slot 1; PORT, whether device 31 has root ports.
#include "guest.h"

#ifndef VERSION
#define VERSION 1
#endif
#ifndef DEVICES
#define DEVICES {0}
#endif
#ifndef FUNCTION
#define FUNCTION 0xffffffff
#endif
#ifndef PORT
#define PORT 0xffffffff
#endif

#define SLOT(n) (0x10001000ul + 0x1000 * (n))
#define CONFIGURATION 0x30000000ul
#define FIRMWARE 0x10100000ul
#define RTC 0x101000ul

static void put8(u64 address, u8 value) { *(volatile u8 *)address = value; }

static void check_slots(void) {
    static const u32 devices[8] = DEVICES;
    for (int slot = 0; slot < 8; slot++) {
        EXPECT(get32(SLOT(slot)), 0x74726976);
        EXPECT(get32(SLOT(slot) + 4), VERSION);
        EXPECT(get32(SLOT(slot) + 8), devices[slot]);
        EXPECT(get32(SLOT(slot) + 12), 0x554d4551);
        EXPECT(get32(SLOT(slot) + 0x60), 0);
        EXPECT(get32(SLOT(slot) + 0x70), 0);
    }
}

static void check_bus(void) {
    EXPECT(get32(CONFIGURATION), 0x00081b36);
    EXPECT(get32(CONFIGURATION + 8) >> 8, 0x060000);
    EXPECT(get32(CONFIGURATION + (1 << 15)), FUNCTION);
    // Other devices, functions and buses, up to the last.
    EXPECT(get32(CONFIGURATION + (30 << 15)), 0xffffffff);
    EXPECT(get32(CONFIGURATION + (31 << 15)), PORT);
    EXPECT(get32(CONFIGURATION + (1 << 12)), 0xffffffff);
    EXPECT(get32(CONFIGURATION + (1 << 20)), 0xffffffff);
    EXPECT(get32(CONFIGURATION + (255 << 20)), 0xffffffff);
    // The ports.
    EXPECT(load_32(0x3000000ul) == 0xbad, 0);
}

// Selects an item, and reads it byte for byte.
static u64 firmware_item(u16 key, int count) {
    *(volatile u16 *)(FIRMWARE + 8) = (u16)(key >> 8 | key << 8);
    u64 value = 0;
    for (int i = 0; i < count; i++) value |= (u64)get8(FIRMWARE) << 8 * i;
    return value;
}

static void check_devices(void) {
    // Serial port: IER, IIR, LCR, MCR, LSR, MSR, SCR.
    static const u8 serial[8] = {0, 0, 0x01, 0, 0, 0x60, 0xb0, 0};
    for (int i = 1; i < 7; i++) if (i != 4) EXPECT(get8(UART + i), serial[i]);
    EXPECT(get32(RTC + 8) | get32(RTC + 12) | get32(RTC + 16) | get32(RTC + 24), 0);
    EXPECT(get32(RTC + 4) != 0 || get32(RTC) != 0, 1);
    for (int source = 1; source < 95; source++) EXPECT(get32(PLIC + 4 * source), 0);
    EXPECT(get32(PLIC + 0x2000) | get32(PLIC + 0x2080) | get32(PLIC + 0x200000) | get32(PLIC + 0x201000), 0);
    EXPECT(get32(MSIP(0)), 0);
    EXPECT(firmware_item(0, 4), 0x554d4551);
    EXPECT(firmware_item(1, 4), 3);
    EXPECT(firmware_item(5, 2), 1);
    // Big endian: "QEMU CFG".
    EXPECT(get64(FIRMWARE + 16), 0x47464320554d4551);
    EXPECT(get32(FINISHER), 0);
}

// LSR bit 0 is the receiver's state, however the port is used between two looks at it: with the transmitter's byte in
// loopback, each look shows it.
static void check_receiver(void) {
    put8(UART + 4, 0x10);
    put8(UART, 0x5a);
    EXPECT(get8(UART + 6) >> 4, 0);
    EXPECT(get8(UART + 5) & 1, 1);
    put8(UART + 7, 1);
    EXPECT(get8(UART + 5) & 1, 1);
    EXPECT(get8(UART), 0x5a);
    EXPECT(get8(UART + 5) & 1, 0);
    put8(UART + 4, 0);
    put8(UART + 7, 0);
}

int main(void) {
    check_slots();
    check_bus();
    check_devices();
    check_receiver();
    return 0;
}
