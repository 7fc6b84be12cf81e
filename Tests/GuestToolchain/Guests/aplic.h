// The interrupt delivery control structures of an APLIC's domain, one for each hart.
#pragma once
#include "aia.h"

#define IDC(domain, hart) ((domain) + 0x4000 + 32ul * (hart))
#define IDELIVERY 0x0
#define IFORCE 0x4
#define ITHRESHOLD 0x8
#define TOPI 0x18
#define CLAIMI 0x1c

// QEMU 7.2 starts with whatever its memory had as the pending and enable bits of sources.
static inline void forget(u64 domain) {
    for (u64 source = 1; source <= 96; source++) {
        put32(domain + SOURCE(source), 1);
        put32(domain + CLRIPNUM, source);
        put32(domain + CLRIENUM, source);
        put32(domain + SOURCE(source), 0);
    }
}
