// Frames over a virtio network card.
#ifndef CARD_H
#define CARD_H
#include "virtio.h"

static struct queue receive_queue, transmit_queue;
static volatile u8 inbox[ENTRIES][1536], outbox[1536];
static u8 own[6];

static inline void open_card(void) {
    begin(CARD, 1 << 5);
    attach(CARD, 0, &receive_queue, ENTRIES);
    attach(CARD, 1, &transmit_queue, ENTRIES);
    enable(CARD, 0);
    enable(CARD, 1);
    go(CARD);
    for (int byte = 0; byte < 6; byte++) own[byte] = get8(CARD + 0x100 + (u64)byte);
    for (u16 entry = 0; entry < ENTRIES; entry++) {
        describe(&receive_queue, entry, inbox[entry], sizeof inbox[entry], WRITE, 0);
        offer(&receive_queue, entry);
    }
    set(CARD + 0x50, 0);
    listen(2);
}

// Sends `length` bytes of the frame that outbox has after its header of 12 bytes.
static inline void send(u64 length) {
    for (int byte = 0; byte < 12; byte++) outbox[byte] = 0;
    describe(&transmit_queue, 0, outbox, 12 + length, 0, 0);
    offer(&transmit_queue, 0);
    set(CARD + 0x50, 1);
    while (transmit_queue.used.index == transmit_queue.seen) { }
    transmit_queue.seen++;
}

static inline void address(volatile u8 *frame, const volatile u8 *target, const volatile u8 *source, u16 type) {
    for (int byte = 0; byte < 6; byte++) frame[byte] = target ? target[byte] : 0xff;
    for (int byte = 0; byte < 6; byte++) frame[6 + byte] = source[byte];
    frame[12] = (u8)(type >> 8);
    frame[13] = (u8)type;
}

// The next frame, or 0. `again` gives its buffer back.
static inline volatile u8 *received(u64 *length) {
    if (receive_queue.used.index == receive_queue.seen) return 0;
    fence();
    u32 slot = receive_queue.seen & (ENTRIES - 1);
    *length = receive_queue.used.ring[slot].length - 12;
    return inbox[receive_queue.used.ring[slot].number] + 12;
}

static inline void again(void) {
    offer(&receive_queue, (u16)receive_queue.used.ring[receive_queue.seen++ & (ENTRIES - 1)].number);
    set(CARD + 0x50, 0);
}

static inline void hexadecimal(const volatile u8 *bytes, int count) {
    for (int byte = 0; byte < count; byte++) {
        if (byte) put(':');
        put("0123456789abcdef"[bytes[byte] >> 4]);
        put("0123456789abcdef"[bytes[byte] & 15]);
    }
}

#endif
