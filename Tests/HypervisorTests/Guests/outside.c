#include "card.h"

void second(void) { }

// Asks by ARP for the address of 10.0.2.2, which is outside.
void main(void) {
    open_card();
    for (int round = 0; round < 100; round++) {
        static const u8 request[] = {0, 1, 8, 0, 6, 4, 0, 1};
        volatile u8 *frame = outbox + 12;
        address(frame, 0, own, 0x0806);
        for (int byte = 0; byte < 8; byte++) frame[14 + byte] = request[byte];
        for (int byte = 0; byte < 6; byte++) frame[22 + byte] = own[byte];
        static const u8 addresses[] = {10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2};
        for (int byte = 0; byte < 14; byte++) frame[28 + byte] = addresses[byte];
        send(60);
        u64 start = now(), length;
        while (now() - start < 1000000) {
            volatile u8 *answer = received(&length);
            if (!answer) continue;
            int is_answer = answer[12] == 8 && answer[13] == 6 && answer[21] == 2 && answer[31] == 2;
            if (is_answer) {
                say("10.0.2.2 is at ");
                hexadecimal(answer + 22, 6);
                say("\n");
                off();
            }
            again();
        }
    }
    say("no answer\n");
    off();
}
