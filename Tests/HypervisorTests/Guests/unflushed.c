#include "virtio.h"

DISK_DATA
void second(void) { }

static volatile u8 data[512];

static void open(u32 features) {
    begin(DISK, features);
    attach(DISK, 0, &disk_queue, ENTRIES);
    enable(DISK, 0);
    go(DISK);
    listen(1);
}

// A write and a read of a driver that did not accept VIRTIO_BLK_F_FLUSH; a write and a flush of one that did.
void main(void) {
    open(0);
    u32 unflushed = transfer(1, 0, data, 512);
    u32 unflushed_read = transfer(0, 0, data, 512);
    open(1 << 9);
    u32 flushed = transfer(1, 1, data, 512);
    u32 flush = transfer(4, 0, 0, 0);
    say("statuses ");
    number(unflushed);
    number(unflushed_read);
    number(flushed);
    number(flush);
    say("\n");
    off();
}
