// Counts the processors that ACPI's table of interrupt controllers names, starts all others, and counts those that come.
#include "guest.h"

#define TRAMPOLINE 0x9000UL
#define COUNT 0x9800UL

struct start_info {
    u32 magic, version, flags, modules;
    u64 module_list, command_line, rsdp, memory_map;
};

void on_interrupt(void) {}

static u64 table(u64 xsdt, u32 signature) {
    for (u64 entry = 36; entry < read32(xsdt + 4); entry += 8) {
        u64 address = read32(xsdt + entry) | (u64)read32(xsdt + entry + 4) << 32;
        if (read32(address) == signature) return address;
    }
    return 0;
}

void guest_main(struct start_info *info) {
    u64 madt = table(read32(info->rsdp + 24), 0x43495041); // "APIC"
    u32 processors = 0;
    for (u64 at = madt + 44; at < madt + read32(madt + 4); at += read8(at + 1))
        if (read8(at) == 0 && read8(at + 3) == processors) processors++;
    // xor ax, ax; mov ds, ax; lock inc dword [COUNT]; hlt, again and again.
    static const u8 code[] = {0x31, 0xC0, 0x8E, 0xD8, 0x66, 0xF0, 0xFF, 0x06, 0x00, 0x98, 0xF4, 0xEB, 0xFD};
    for (u64 i = 0; i < sizeof code; i++) write8(TRAMPOLINE + i, code[i]);
    write32(COUNT, 0);
    write32(LAPIC + 0xF0, 0x1FF);
    write32(LAPIC + 0x300, 0xC4500);
    write32(LAPIC + 0x300, 0xC4600 | TRAMPOLINE >> 12);
    while (read32(COUNT) < processors - 1) __asm__ volatile("pause");
    print("processors ");
    print_hex(processors);
    print(", started ");
    print_hex(read32(COUNT));
    print("\n");
}
