#include "virtio.h"

DISK_DATA
void second(void) { }

static volatile u8 mark[512];

// What a reset leaves in the controllers of hart 0: no source or identity is enabled or pending, and nothing is delivered.
static int is_reset(void) {
    u64 bits = 0;
    if (has_files()) {
        for (u64 source = 1; source < 32; source++) bits |= get(APLIC + 4 * source) | get(APLIC + 0x3000 + 4 * source);
        bits |= (get(APLIC) & 0x100) | get(APLIC + 0x1c00) | get(APLIC + 0x1e00) | file_get(FILE_DELIVERY);
        for (u64 word = 0; word < 8; word += 2) bits |= file_get(FILE_PENDING + word) | file_get(FILE_ENABLED + word);
    } else {
        for (u64 source = 1; source < 32; source++) bits |= get(0x0c000000 + 4 * source);
        bits |= get(0x0c002000) | get(0x0c200000);
    }
    return bits == 0 && traps == 0;
}

static u64 place(void) {
    switch (random() % 8) {
    case 0: return 0x0c000000 + random() % 0x800000;
    case 1: return 0x0c200000 + random() % 0x10000;
    case 2: return APLIC + random() % 0x10000;
    case 3: return APLIC + 0x1c00 + random() % 0x500;
    case 4: return FILE(0) + random() % 16;
    case 5: return FILE(0) + random() % 0x20000;
    default: return (has_files() ? APLIC + random() % 0x80 : 0x0c000000 + random() % 0x100) + random() % 3 * 0x3000;
    }
}

static u64 value(void) { return random() >> random() % 64; }

static void access(void) {
    u64 address = place();
    switch (random() % 8) {
    case 0: *(volatile u8 *)address = (u8)value(); break;
    case 1: *(volatile u64 *)(address & ~7ul) = value(); break;
    case 2: *(volatile u16 *)(address & ~1ul); break;
    case 3: *(volatile u32 *)(address & ~3ul); break;
    default: *(volatile u32 *)(address & ~3ul) = (u32)value();
    }
}

// Registers behind siselect, of which a guest without a file has none.
static void select(void) {
    u64 number = random() % 4 ? 0x70 + random() % 0x90 : value();
    __asm__ volatile("csrw 0x150, %0\n csrrw zero, 0x151, %1\n csrr %0, 0x15c" : "+r"(number) : "r"(value()) : "memory");
}

// Starts twice: each time the controllers are as after a reset, whatever was written to them, inside their registers and outside.
void main(void) {
    say(has_files() ? "files, " : "a PLIC, ");
    say(is_reset() ? "reset\n" : "not reset\n");
    open_disk();
    transfer(0, 0, mark, 512);
    int is_second = mark[0] == 'x';
    mark[0] = 'x';
    transfer(1, 0, mark, 512);
    for (int round = 0; round < 1000; round++) if (round % 8) access(); else select();
    say(traps > 20 ? "controllers done\n" : "too few traps\n");
    if (!is_second) sbi(SRST, 0, 1, 0, 0, 0);
    off();
}
