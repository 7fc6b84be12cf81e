#include "include/Support.h"

struct hv_lock hv_kernel_lock;
