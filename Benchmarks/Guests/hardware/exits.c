// Exits to the monitor, as many as COUNT: through a port (the scratch register of a serial port), or with REGISTERS through
// memory that is none (a byte of PCI configuration space that is the guest's to note something).
#include "machine.h"

void guest_main(void) {
#ifdef REGISTERS
    for (u32 i = 0; i < COUNT; i++) write8(0xE000003C, (u8)i);
#else
    for (u32 i = 0; i < COUNT; i++) out8(0x3FF, (u8)i);
#endif
}
