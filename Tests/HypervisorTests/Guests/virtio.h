// A driver for virtio-mmio devices of version 2 (VIRTIO 1.2, sections 2.7, 4.2, 5.1 and 5.2), small enough to break each rule on purpose.
#ifndef VIRTIO_H
#define VIRTIO_H
#include "interrupts.h"

typedef unsigned short u16;
#define DISK 0x10001000ul
#define CARD 0x10002000ul
#ifndef ENTRIES
#define ENTRIES 16
#endif
#define NEXT 1
#define WRITE 2
#define NEEDS_RESET 64

struct queue {
    struct { volatile u64 address; volatile u32 length; volatile u16 flags, next; } descriptor[ENTRIES];
    struct { volatile u16 flags, index, ring[ENTRIES], event; } available;
    struct { volatile u16 flags, index; struct { volatile u32 number, length; } ring[ENTRIES]; } used __attribute__((aligned(4)));
    u16 seen;
} __attribute__((aligned(16)));

static inline void clear(void *place, u64 count) {
    for (volatile u8 *byte = place; count > 0; count--) *byte++ = 0;
}

static inline void attach(u64 window, u32 index, struct queue *queue, u32 size) {
    clear(queue, sizeof *queue);
    set(window + 0x30, index);
    set(window + 0x38, size);
    set(window + 0x80, (u32)(u64)&queue->descriptor);
    set(window + 0x84, 0);
    set(window + 0x90, (u32)(u64)&queue->available);
    set(window + 0x94, 0);
    set(window + 0xa0, (u32)(u64)&queue->used);
    set(window + 0xa4, 0);
}

// Resets the device and accepts VIRTIO_F_VERSION_1 and the low features; the queues are next.
static inline void begin(u64 window, u32 features) {
    set(window + 0x70, 0);
    set(window + 0x70, 1);
    set(window + 0x70, 3);
    set(window + 0x24, 0);
    set(window + 0x20, features);
    set(window + 0x24, 1);
    set(window + 0x20, 1);
    set(window + 0x70, 11);
}

static inline void enable(u64 window, u32 index) { set(window + 0x30, index); set(window + 0x44, 1); }
static inline void go(u64 window) { set(window + 0x70, 15); }

static inline void describe(struct queue *queue, int entry, const volatile void *address, u64 length, u16 flags, u16 next) {
    queue->descriptor[entry].address = (u64)address;
    queue->descriptor[entry].length = (u32)length;
    queue->descriptor[entry].flags = flags;
    queue->descriptor[entry].next = next;
}

static inline void offer(struct queue *queue, u16 head) {
    queue->available.ring[queue->available.index & (ENTRIES - 1)] = head;
    fence();
    queue->available.index++;
    fence();
}

// Tells the device and the interrupt controller that its interrupt is seen. Then come the queues: what is used later interrupts again.
static inline void acknowledge(u64 window) {
    u32 source = claim();
    set(window + 0x64, get(window + 0x60));
    if (source) complete(source);
    fence();
}

// The disk, whose queue has one request at a time.
extern struct queue disk_queue;
extern struct request { u32 type, zero; u64 sector; volatile u8 status; } disk_request;

static inline void open_disk(void) {
    begin(DISK, 1 << 9);
    attach(DISK, 0, &disk_queue, ENTRIES);
    enable(DISK, 0);
    go(DISK);
    listen(1);
}

static inline void prepare(u32 type, u64 sector, const volatile void *data, u64 length) {
    disk_request.type = type;
    disk_request.sector = sector;
    disk_request.status = 99;
    describe(&disk_queue, 0, &disk_request, 16, NEXT, length > 0 ? 1 : 2);
    describe(&disk_queue, 1, data, length, NEXT | (type == 1 ? 0 : WRITE), 2);
    describe(&disk_queue, 2, &disk_request.status, 1, WRITE, 0);
}

// The status of the request; 98: the device needs a reset.
static inline u32 transfer(u32 type, u64 sector, const volatile void *data, u64 length) {
    prepare(type, sector, data, length);
    offer(&disk_queue, 0);
    set(DISK + 0x50, 0);
    while (disk_queue.used.index == disk_queue.seen) {
        await_interrupt();
        acknowledge(DISK);
        if (get(DISK + 0x70) & NEEDS_RESET) return 98;
    }
    acknowledge(DISK);
    disk_queue.seen++;
    return disk_request.status;
}

#define DISK_DATA struct queue disk_queue; struct request disk_request;

static u64 random_state = 88172645463325252ul;
static inline u64 random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

#endif
