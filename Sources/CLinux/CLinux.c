// C shims are header-only; SwiftPM wants one source file for a C target.
#include "CLinux.h"
