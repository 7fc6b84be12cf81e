#include "interrupts.h"

#define UART 0x10000000ul

void second(void) { }

// Says each line that is typed, and ends with the second one. All bytes come by interrupts of the UART.
void main(void) {
    char line[64];
    int length = 0, lines = 0;
    listen(10);
    set8(UART + 1, 1);
    say("ready\n");
    while (lines < 2) {
        await_interrupt();
        u32 source = claim();
        if (source != 10) continue;
        while (get8(UART + 5) & 1) {
            char byte = (char)get8(UART);
            if (byte != '\n' && byte != '\r') {
                if (length < 63) line[length++] = byte;
                continue;
            }
            line[length] = 0;
            length = 0;
            lines++;
            say("typed ");
            say(line);
            say("\n");
        }
        complete(source);
    }
    off();
}
