// Nothing: what a machine costs before and after its program. Subtracted from all others.
#include "kernel.h"

u64 benchmark(void) { return seed; }
