#include "guest.h"

static u64 state = 88172645463325252ul;
static u64 random(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

void second(void) { off(); }

// Accesses everywhere outside its memory, calls with random arguments, jumps to nowhere; at last a trap vector that is no memory.
void main(void) {
    for (int round = 0; round < 20000; round++) {
        u64 address = random() & 0x7fffffff;
        if (round & 1) address = 0x0c000000 + (random() & 0x0fffff8);
        if (round & 2) address = 0x90000000 + (random() & 0xffffffff);
        // Interrupts of the device are not the subject.
        if (address - 0x10000000 < 8) continue;
        if (round & 4) *(volatile u64 *)(address & ~7ul) = random(); else *(volatile u32 *)(address & ~3ul);
    }
    say(traps > 1000 ? "accesses done\n" : "too few traps\n");
    static const u64 extensions[] = {0x10, TIME, IPI, RFENCE, HSM, DBCN, 2, 0x504d55, 0x535553};
    for (int round = 0; round < 20000; round++) {
        u64 extension = extensions[random() % 9], function = random() % 5;
        if (extension == HSM && (function == 1 || function == 3)) continue;
        if (extension == DBCN && function == 2) continue;
        u64 x = random() >> (random() & 63), y = random() >> (random() & 63), z = random() >> (random() & 63);
        // Of the console: only what is no memory, so that the output stays readable.
        if (extension == DBCN) y &= 0x7fffffff;
        sbi(extension, function, x, y, z, random());
    }
    say("calls done\n");
    void (*nowhere)(void) = (void (*)(void))0x40000000;
    nowhere();
    say("jump done\n");
    __asm__ volatile("csrw stvec, %0\n ebreak" : : "r"(0x40000000ul));
}
