#include "virtio.h"

DISK_DATA
void second(void) { }

static volatile u8 data[512];
#define BIG ((volatile u8 *)0x80400000ul)

// Breaks one rule of the queue; `number` is the rule.
static void break_rule(int rule) {
    prepare(0, 0, data, 512);
    u16 head = 0;
    switch (rule) {
    case 0: disk_queue.descriptor[2].flags |= NEXT; disk_queue.descriptor[2].next = 1; break;          // a loop
    case 1: disk_queue.descriptor[1].address = 0x40000000; break;                                      // no memory
    case 2: disk_queue.descriptor[1].address = 0x80800000 - 256; break;                                // beyond its end
    case 3: disk_queue.descriptor[1].address = ~0ul - 100; break;                                      // wraps around
    case 4: disk_queue.descriptor[1].length = 0xffffffff; break;
    case 5: disk_queue.descriptor[0].next = ENTRIES; break;                                            // no descriptor
    case 6: head = 500; break;
    case 7: disk_queue.descriptor[0].flags |= 4; break;                                                // indirect, not offered
    case 8: disk_queue.descriptor[0].flags |= WRITE; disk_queue.descriptor[1].flags = NEXT; break;     // the wrong order
    case 9: disk_queue.descriptor[0].length = 8; disk_queue.descriptor[0].next = 2; break;             // a short header
    case 10: disk_queue.descriptor[0].flags = 0; break;                                                // no place for the status
    case 11: disk_queue.available.index += 1000; break;                                                // the index jumps
    case 12: disk_queue.available.index -= 1; break;
    case 13: disk_queue.descriptor[1].address = DISK; break;                                           // a device
    }
    if (rule == 12) fence(); else offer(&disk_queue, head);
    set(DISK + 0x50, 0);
}

// Starts the device with a queue that is not valid.
static void break_queue(int rule) {
    begin(DISK, 0);
    attach(DISK, 0, &disk_queue, ENTRIES);
    switch (rule) {
    case 0: set(DISK + 0x38, 12); break;
    case 1: set(DISK + 0x38, 0); break;
    case 2: set(DISK + 0x38, 65536); break;
    case 3: set(DISK + 0x80, 0x40000000); break;
    case 4: set(DISK + 0x84, 0xffffffff); break;
    case 5: set(DISK + 0x90, (u32)(u64)&disk_queue.available + 1); break;
    case 6: set(DISK + 0xa0, 0x80800000 - 64); break;
    case 7: set(DISK + 0x80, (u32)(u64)&disk_queue + 8); break;
    }
    enable(DISK, 0);
    go(DISK);
    set(DISK + 0x50, 0);
}

// Fills the queue with five large reads, each of three descriptors.
static void start_reads(u32 from) {
    static struct request requests[5];
    for (u16 entry = 0; entry < 15; entry += 3) {
        struct request *request = &requests[entry / 3];
        request->sector = from;
        request->status = 99;
        describe(&disk_queue, entry, request, 16, NEXT, entry + 1);
        describe(&disk_queue, entry + 1, BIG + entry * 0x10000, 0x10000, NEXT | WRITE, entry + 2);
        describe(&disk_queue, entry + 2, &request->status, 1, WRITE, 0);
        offer(&disk_queue, entry);
    }
    set(DISK + 0x50, 0);
}

static int works(void) { open_disk(); return transfer(0, 0, data, 512) == 0; }

void main(void) {
    int noticed = 0, recovered = works();
    for (int rule = 0; rule < 14; rule++) {
        break_rule(rule);
        // The first data of a large buffer may be memory: then the request fails by its length.
        for (u64 start = now(); now() - start < 1000000 && !(get(DISK + 0x70) & NEEDS_RESET);) { }
        if (get(DISK + 0x70) & NEEDS_RESET) noticed++; else { say("not noticed: rule "); number((u64)rule); say("\n"); }
        if (works()) recovered++;
    }
    for (int rule = 0; rule < 8; rule++) {
        break_queue(rule);
        if (get(DISK + 0x70) & NEEDS_RESET) noticed++; else { say("not noticed: queue "); number((u64)rule); say("\n"); }
        if (works()) recovered++;
    }
    say("noticed ");
    number((u64)noticed);
    say(", recovered ");
    number((u64)recovered);
    say("\n");
    int clean = 0;
    for (int round = 0; round < 20; round++) {
        open_disk();
        start_reads(64);
        set(DISK + 0x70, 0);
        // After the reset nothing writes to the buffers.
        clear((void *)BIG, 0xf0000);
        if (get(DISK + 0x70) != 0) continue;
        for (u64 start = now(); now() - start < 20000;) { }
        int is_zero = 1;
        for (u64 place = 0; place < 0xf0000; place += 512) if (BIG[place]) is_zero = 0;
        clean += is_zero && works();
    }
    say("clean resets ");
    number((u64)clean);
    say("\n");
    // The first start ends in a reboot, the second one in power off, both with requests in flight.
    works();
    int is_second = data[0] == 'x';
    data[0] = 'x';
    transfer(1, 0, data, 512);
    say(is_second ? "second start\n" : "first start\n");
    start_reads(64);
    if (!is_second) sbi(SRST, 0, 1, 0, 0, 0);
    off();
}
