#include "virtio.h"

DISK_DATA
#ifndef LIVES
#define LIVES 10000
#endif
void second(void) { for (;;) { } }

static volatile u64 sector[64];

// A guest that lives as often as its disk says: each time both of its harts run and its disk works, then it reboots.
void main(void) {
    sbi(HSM, 0, 1, (u64)start_second, 0, 0);
    open_disk();
    u64 failed = transfer(0, 0, sector, 512);
    u64 lives = ++sector[0];
    failed += transfer(1, 0, sector, 512);
    if (lives < LIVES && failed == 0) sbi(SRST, 0, 1, 0, 0, 0);
    say_number("lives ", lives);
    off();
}
