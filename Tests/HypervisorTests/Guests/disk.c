#include "virtio.h"

DISK_DATA
void second(void) { }

// Two pages across a border of the chunks of 2 MiB in which the hypervisor keeps memory.
#define DATA ((volatile u8 *)0x803ff000ul)

// Reads and writes of the whole range, an interrupt, refusals outside the range. The disk is read-only to a guest named "reader".
void main(void) {
    open_disk();
    u64 sectors = get(DISK + 0x100);
    say("sectors ");
    number(sectors);
    static volatile u8 id[20];
    say(transfer(8, 0, id, 20) == 0 ? ", id " : ", no id ");
    say((const char *)id);
    say("\n");
    int reads_only = id[0] == 'r';
    if (!reads_only) {
        for (u64 place = 0; place < 8192; place++) DATA[place] = (u8)(id[0] + place / 512);
        u32 first = transfer(1, 0, DATA, 8192);
        u32 last = transfer(1, sectors - 1, DATA, 512);
        say(first == 0 && last == 0 && transfer(4, 0, 0, 0) == 0 ? "written\n" : "not written\n");
    }
    clear((void *)DATA, 8192);
    prepare(0, 0, DATA, 8192);
    offer(&disk_queue, 0);
    set(DISK + 0x50, 0);
    // Not before: the handler turns the interrupt's enable off.
    while (traps == 0) __asm__ volatile("csrsi sstatus, 2\n csrci sstatus, 2");
    __asm__ volatile("csrci sstatus, 2");
    listen(1);
    u32 source = claim(), reason = get(DISK + 0x60);
    set(DISK + 0x64, reason);
    complete(source);
    disk_queue.seen++;
    say(source == 1 && reason == 1 && disk_queue.used.ring[(disk_queue.seen - 1) & 15].length == 8193 ? "interrupt\n" : "no interrupt\n");
    int is_equal = disk_request.status == 0;
    for (u64 place = 0; place < 8192; place++)
        if (DATA[place] != (u8)(reads_only ? '.' : id[0] + place / 512)) is_equal = 0;
    say(is_equal ? "read back\n" : "other data\n");
    say("refusals ");
    number(transfer(0, sectors, DATA, 512));
    number(transfer(1, sectors - 1, DATA, 1024));
    number(transfer(1, ~0ul, DATA, 512));
    number(transfer(0, 1ul << 55, DATA, 512));
    number(transfer(0, 0, DATA, 100));
    number(transfer(reads_only ? 1 : 11, 0, DATA, 512));
    say("\n");
    off();
}
