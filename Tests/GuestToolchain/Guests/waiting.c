// PAUSE and WRS yield the host's processor. A loop of them takes a timer interrupt soon after its time, however long each yield was.
#include "guest.h"

#define MTI (1ul << 7)
#define INTERRUPT (1ul << 63)

// Each loops until the clock has the deadline, waits once more, and executes 128 instructions, in which the interrupt must come.
#define WAIT(waiting, deadline) \
    asm volatile("1: " waiting "\nrdtime t0\nbltu t0, %0, 1b\n" waiting "\nli t0, 64\n2: addi t0, t0, -1\nbnez t0, 2b" \
        : : "r"((u64)(deadline)), "r"(&word) : "t0", "t1", "memory")

static u64 word;

static u64 arm(void) {
    u64 deadline = get64(MTIME) + 500;
    put64(MTIMECMP(0), deadline);
    me()->cause = NONE;
    write_csr(mie, MTI);
    set_csr(mstatus, MIE);
    return deadline;
}

static void disarm(void) {
    clear_csr(mstatus, MIE);
    write_csr(mie, 0);
    put64(MTIMECMP(0), -1);
}

int main(void) {
    for (int round = 0; round < 8; round++) {
        WAIT(".word 0x0100000f", arm());  // pause
        EXPECT(me()->cause, INTERRUPT | 7);
        disarm();
        WAIT("lr.d t1, (%1)\n.word 0x00d00073", arm());  // wrs.nto
        EXPECT(me()->cause, INTERRUPT | 7);
        disarm();
        WAIT("lr.d t1, (%1)\n.word 0x01d00073", arm());  // wrs.sto
        EXPECT(me()->cause, INTERRUPT | 7);
        disarm();
    }
    pass();
}

void secondary_main(void) {}
