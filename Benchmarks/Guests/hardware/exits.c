// COUNT exits to the monitor: writes to a port (a serial port's scratch register), or with REGISTERS MMIO writes (a byte of PCI
// configuration space that is storage for the guest).
#include "machine.h"

void guest_main(void) {
#ifdef REGISTERS
    for (u32 i = 0; i < COUNT; i++) write8(0xE000003C, (u8)i);
#else
    for (u32 i = 0; i < COUNT; i++) out8(0x3FF, (u8)i);
#endif
}
