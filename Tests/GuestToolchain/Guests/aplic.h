// The interrupt delivery control structures of an APLIC's domain, one for each hart.
#pragma once
#include "aia.h"

#define IDC(domain, hart) ((domain) + 0x4000 + 32ul * (hart))
#define IDELIVERY 0x0
#define IFORCE 0x4
#define ITHRESHOLD 0x8
#define TOPI 0x18
#define CLAIMI 0x1c
