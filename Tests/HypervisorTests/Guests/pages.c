#include "virtio.h"

DISK_DATA
void second(void) { }

static volatile u64 data[512];

// Counts as long as the machine runs. For each number it writes a page of its disk, with a flush behind it, and reads the one that it wrote 8 numbers
// ago.
void main(void) {
    open_disk();
    u64 pages = get(DISK + 0x100) / 8;
    for (u64 count = 1;; count++) {
        u64 wrong = 0;
        for (u64 word = 0; word < 512; word++) data[word] = count << 32 | word;
        wrong += transfer(1, count % pages * 8, data, 4096);
        wrong += transfer(4, 0, 0, 0);
        u64 old = count > 8 ? count - 8 : count;
        wrong += transfer(0, old % pages * 8, data, 4096);
        for (u64 word = 0; word < 512; word++) wrong += data[word] != (old << 32 | word);
        say_number(wrong ? "wrong " : "count ", count);
    }
}
