// Takes the interrupt of the generation ID and notes what it has seen at 8 MiB: the ID, 16 bytes, and how many interrupts there were.
#include "guest.h"

#define GENERATION 0xFEB01000UL
#define IOAPIC 0xFEC00000UL
#define VECTOR 0x40
// Where the board wires the device to the IOAPIC.
#define INPUT 20

static volatile u64 *const notes = (volatile u64 *)0x800000;

static void note(void) {
    notes[0] = *(volatile u64 *)GENERATION;
    notes[1] = *(volatile u64 *)(GENERATION + 8);
}

void on_interrupt(void) {
    note();
    notes[2]++;
    end_interrupt();
}

static void set_ioapic(u32 index, u32 value) {
    write32(IOAPIC, index);
    write32(IOAPIC + 0x10, value);
}

void guest_main(void) {
    take_interrupts(VECTOR);
    note();
    // Edge-triggered, active high, for the first processor.
    set_ioapic(0x11 + 2 * INPUT, 0);
    set_ioapic(0x10 + 2 * INPUT, VECTOR);
    notes[3] = 1;
    for (;;) __asm__ volatile("sti; hlt");
}
