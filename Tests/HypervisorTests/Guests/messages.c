#include "virtio.h"

DISK_DATA

// The instructions, as instret counts them on the first hart, of a message to the second hart with one back (the least of many, because harts also wait
// for the hypervisor's lock); and of a read from the disk with its interrupt.
static volatile u64 asked, answered;
static volatile u8 data[512];

void second(void) {
    listen_to_harts();
    for (;;) {
        while (asked == answered) await_message();
        answered = asked;
        send_message(0);
    }
}

void main(void) {
    listen_to_harts();
    sbi(HSM, 0, 1, (u64)start_second, 0, 0);
    u64 least = ~0ul;
    for (u64 count = 1; count <= 500; count++) {
        u64 before = instructions();
        asked = count;
        send_message(1);
        while (answered != count) await_message();
        u64 taken = instructions() - before;
        if (taken < least) least = taken;
    }
    say(has_files() ? "messages by files\n" : "messages by calls\n");
    say_number("message ", least);
    open_disk();
    u64 before = instructions();
    u32 errors = 0;
    for (u64 read = 0; read < 200; read++) errors += transfer(0, read % 8, data, 512);
    say_number("read ", (instructions() - before) / 200);
    say_number("errors ", errors);
    off();
}
