// More in one notification than the hypervisor does in one exit, and more than the board's disk gets of one guest.
#define ENTRIES 256
#include "card.h"

DISK_DATA
void second(void) { }

static struct request requests[128];
#define DATA 0x80400000ul

// Makes `count` requests available with one notification, and waits for all; the number with this status.
static u64 flood(u16 count, u32 type, u32 length, u8 status) {
    open_disk();
    u16 entry = 0;
    for (u16 index = 0; index < count; index++) {
        struct request *request = &requests[index];
        *request = (struct request){.type = type, .sector = index % 8, .status = 99};
        u16 head = entry;
        describe(&disk_queue, entry, request, 16, NEXT, entry + 1);
        entry++;
        if (length > 0) {
            describe(&disk_queue, entry, (void *)(DATA + index * 4096ul), length, NEXT | WRITE, entry + 1);
            entry++;
        }
        describe(&disk_queue, entry++, &request->status, 1, WRITE, 0);
        disk_queue.available.ring[index] = head;
    }
    fence();
    disk_queue.available.index = count;
    fence();
    set(DISK + 0x50, 0);
    while (disk_queue.used.index != count) {
        await_interrupt();
        acknowledge(DISK);
    }
    u64 right = 0;
    for (u16 index = 0; index < count; index++) right += requests[index].status == status;
    return right;
}

void main(void) {
    u64 unsupported = flood(128, 77, 0, 2), read = flood(85, 0, 4096, 0);
    open_card();
    address(outbox + 12, 0, own, 0x88b5);
    for (u16 entry = 0; entry < ENTRIES; entry++) {
        describe(&transmit_queue, entry, outbox, 12 + 60, 0, 0);
        transmit_queue.available.ring[entry] = entry;
    }
    fence();
    transmit_queue.available.index = ENTRIES;
    fence();
    set(CARD + 0x50, 1);
    while (transmit_queue.used.index != ENTRIES) {
        await_interrupt();
        acknowledge(CARD);
    }
    // At the end, because a guest's wait ends its line on the console.
    say("unsupported ");
    number(unsupported);
    say(", read ");
    number(read);
    say(", sent ");
    number(transmit_queue.used.index);
    say("\n");
    off();
}
