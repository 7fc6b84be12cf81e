#include "card.h"

void second(void) { }

#define CALL 0x88b5
#define ANSWER 0x88b6
#define FORGED 0x88b7
#define END 0x88b8

static u16 type(volatile u8 *frame) { return (u16)(frame[12] << 8 | frame[13]); }

// Answers calls until the end is broadcast, and counts what it should not see.
static void answer(void) {
    u64 length, foreign = 0, forged = 0;
    for (;;) {
        volatile u8 *frame = received(&length);
        if (!frame) {
            await_interrupt();
            acknowledge(CARD);
            continue;
        }
        u16 kind = type(frame);
        if (!(frame[0] & 1)) for (int byte = 0; byte < 6; byte++) if (frame[byte] != own[byte]) { foreign++; break; }
        if (kind == FORGED || kind == ANSWER) forged++;
        if (kind == CALL) {
            address(outbox + 12, frame + 6, own, ANSWER);
            send(60);
        }
        again();
        if (kind == END) break;
    }
    say("foreign ");
    number(foreign);
    say(", forged ");
    number(forged);
    say("\n");
}

// The first guest calls the two others by broadcast until both have answered; before, it sends frames with another source.
static void call(void) {
    u64 length, answers = 0;
    for (int round = 0; round < 5; round++) {
        u8 other[6];
        for (int byte = 0; byte < 6; byte++) other[byte] = own[byte];
        other[5] = (u8)(round + 1);
        address(outbox + 12, 0, other, FORGED);
        send(60);
    }
    while (answers != 6) {
        address(outbox + 12, 0, own, CALL);
        send(1514);
        u64 start = now();
        while (now() - start < 100000) {
            volatile u8 *frame = received(&length);
            if (!frame) continue;
            if (type(frame) == ANSWER && length == 60) answers |= 1ul << frame[11];
            again();
        }
    }
    say("answers of 1 and 2\n");
    address(outbox + 12, 0, own, END);
    send(60);
}

void main(void) {
    open_card();
    if (own[0] == 2 && own[5] == 0) call(); else answer();
    off();
}
