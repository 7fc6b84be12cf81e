#include "guest.h"

static volatile u64 broken, ended;

#define EACH ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
static void load(const u64 *values) { __asm__ volatile(EACH "fld f\\n, 8*\\n(%0)\n.endr" : : "r"(values) : "memory"); }
static void store(u64 *values) { __asm__ volatile(EACH "fsd f\\n, 8*\\n(%0)\n.endr" : : "r"(values) : "memory"); }

// To where there is a hart free.
static void nap(void) {
    sbi(TIME, 0, now() + 5000, 0, 0, 0);
    __asm__ volatile("wfi");
}

// Registers that others have not written, then its own values for many slices, in all rounding modes.
static void use(u64 me) {
    u64 values[32];
    __asm__ volatile("csrs sstatus, %0\n csrs sie, %1" : : "r"(1 << 13), "r"(1 << 5));
    store(values);
    for (int n = 0; n < 32; n++) broken += values[n] != 0;
    for (u64 round = 0; round < 40; round++) {
        u64 start = now(), mode = (me + round) % 4 << 5, found;
        for (int n = 0; n < 32; n++) values[n] = me << 32 | round << 16 | (u64)n;
        load(values);
        __asm__ volatile("fscsr %0" : : "r"(mode));
        // 8 ms, longer than a slice; or short waits.
        while (now() - start < (round & 1 ? 30000 : 80000)) {
            if (round & 1) nap();
        }
        store(values);
        __asm__ volatile("frcsr %0" : "=r"(found));
        broken += found != mode;
        for (int n = 0; n < 32; n++) broken += values[n] != (me << 32 | round << 16 | (u64)n);
    }
    __atomic_fetch_add(&ended, 1, __ATOMIC_SEQ_CST);
}

void second(void) {
    use(2);
    sbi(HSM, 1, 0, 0, 0, 0);
}

void main(void) {
    // sstatus.FS is Off: illegal to the guest, whatever the hart holds.
    for (int i = 0; i < 3; i++) __asm__ volatile("fmv.d.x f0, zero");
    say("traps ");
    number(traps);
    say(last_cause == 2 ? " illegal\n" : " other\n");
    sbi(HSM, 0, 1, (u64)start_second, 0, 0);
    use(1);
    while (ended < 2) { }
    say("broken ");
    number(broken);
    say("\n");
    off();
}
