#include "virtio.h"

DISK_DATA
void second(void) { }

static volatile u64 data[512];

// Writes pages and reads them again, while other guests do what they want.
void main(void) {
    open_disk();
    u64 pages = get(DISK + 0x100) / 8, errors = 0;
    for (u64 round = 0; round < 300; round++) {
        u64 page = random() % pages, seed = random();
        for (int word = 0; word < 512; word++) data[word] = seed + (u64)word * round;
        if (transfer(1, page * 8, data, 4096) != 0) errors++;
        clear((void *)data, 4096);
        if (transfer(0, page * 8, data, 4096) != 0) errors++;
        for (int word = 0; word < 512; word++) if (data[word] != seed + (u64)word * round) errors++;
    }
    say("load done, errors ");
    number(errors);
    say("\n");
    off();
}
