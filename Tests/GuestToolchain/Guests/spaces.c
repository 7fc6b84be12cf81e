// Address spaces: what the ASID of satp keeps apart, what the G bit shares, and which fences reach what (Privileged
// Architecture 10.1.11, 10.2.1, 10.3.1); what TSR closes to S-mode (3.1.6.6); mtime as software sets it (3.2.1).
#include "guest.h"

enum { V = 1, R = 2, W = 4, X = 8, G = 32, A = 64, D = 128 };
#define GIGABYTE 0x40000000ul
#define OWN GIGABYTE               // a page of each space
#define SHARED (GIGABYTE + 4096)   // a global page
#define CODE (GIGABYTE + 2 * 4096) // code of each space

struct space { u64 root[512], mega[512], pages[512]; };
static struct space spaces[2] __attribute__((aligned(4096)));
static u64 data[4][512] __attribute__((aligned(4096)));
static u32 code[2][1024] __attribute__((aligned(4096)));

static u64 leaf(volatile void *physical, u64 flags) { return (u64)physical >> 12 << 10 | flags; }

static void build(struct space *space, u64 *own, u32 *function) {
    space->root[0] = leaf(0, V | R | W | A | D | G);
    space->root[2] = leaf((void *)0x80000000ul, V | R | W | X | A | D | G);
    space->root[1] = leaf(space->mega, V);
    space->mega[0] = leaf(space->pages, V);
    space->pages[0] = leaf(own, V | R | W | A | D);
    space->pages[1] = leaf(data[2], V | R | W | A | D | G);
    space->pages[2] = leaf(function, V | R | X | A);
}
static u64 satp_of(int index) { return 8ul << 60 | (u64)(index + 1) << 44 | (u64)&spaces[index] >> 12; }
static void enter(int index) { write_csr(satp, satp_of(index)); }

static u64 load(u64 address) {
    u64 value, mprv = MPRV;
    set_csr(mstatus, SUPERVISOR);
    asm volatile("csrs mstatus, %2\nld %0, 0(%1)\ncsrc mstatus, %2" : "=&r"(value) : "r"(address), "r"(mprv) : "memory");
    clear_csr(mstatus, MPP);
    return value;
}

static void separation(void) {
    EXPECT(read_csr(satp) >> 44 & 0xffff, 0xffff);
    for (int round = 0; round < 100; round++) {
        enter(0);
        EXPECT(load(OWN), 1);
        EXPECT(load(SHARED), 3);
        enter(1);
        EXPECT(load(OWN), 2);
        EXPECT(load(SHARED), 3);
    }
}

static void fences(void) {
    u64 first = 1, second = 2, own = OWN, shared = SHARED;
    enter(0);
    EXPECT(load(OWN), 1);
    // Each fence that covers the changed entry makes it seen.
    spaces[0].pages[0] = leaf(data[3], V | R | W | A | D);
    asm volatile("sfence.vma x0, %0" : : "r"(first) : "memory");
    EXPECT(load(OWN), 4);
    spaces[0].pages[0] = leaf(data[0], V | R | W | A | D);
    asm volatile("sfence.vma %0, %1" : : "r"(own), "r"(first) : "memory");
    EXPECT(load(OWN), 1);
    spaces[0].pages[0] = leaf(data[3], V | R | W | A | D);
    asm volatile("sfence.vma %0, x0" : : "r"(own) : "memory");
    EXPECT(load(OWN), 4);
    // From another space, by its number.
    enter(1);
    EXPECT(load(OWN), 2);
    spaces[0].pages[0] = leaf(data[0], V | R | W | A | D);
    asm volatile("sfence.vma x0, %0" : : "r"(first) : "memory");
    enter(0);
    EXPECT(load(OWN), 1);
    // A fence of one space does nothing to another.
    asm volatile("sfence.vma x0, %0" : : "r"(second) : "memory");
    EXPECT(load(OWN), 1);
    // A global entry is in every space; a fence for all spaces reaches it.
    EXPECT(load(SHARED), 3);
    spaces[0].pages[1] = spaces[1].pages[1] = leaf(data[3], V | R | W | A | D | G);
    asm volatile("sfence.vma %0, x0" : : "r"(shared) : "memory");
    EXPECT(load(SHARED), 4);
    enter(1);
    EXPECT(load(SHARED), 4);
}

// In S-mode: code at one address that is another in each space.
static long run_code(long a, long b) {
    long (*function)(void) = (long (*)(void))CODE;
    (void)a;
    (void)b;
    for (int round = 0; round < 200; round++) {
        enter(0);
        EXPECT(function(), 11);
        enter(1);
        EXPECT(function(), 22);
    }
    return 0;
}

static long do_sret(long a, long b) {
    (void)b;
    asm volatile("la t0, 1f\ncsrw sepc, t0\nsret\n.balign 4\n1:" : : : "t0", "memory");
    return a;
}
static long do_wfi(long a, long b) { (void)b; asm volatile("wfi"); return a; }

static void returns(void) {
    u64 before = me()->traps;
    // Without TSR sret returns: here to S-mode, as SPP says.
    run_at(SUPERVISOR | SPP, do_sret, 0, 0);
    EXPECT(me()->traps, before);
    run_at(SUPERVISOR | SPP | TSR, do_sret, 0, 0);
    EXPECT(me()->traps, before + 1);
    EXPECT(me()->cause, ILLEGAL);
    EXPECT(me()->level, 3);
    EXPECT(me()->tval, 0x10200073);
    clear_csr(mstatus, TSR | SPP);
    // TW: wfi traps in S-mode, and not when something is pending in M-mode's own use of it.
    run_at(SUPERVISOR | TW, do_wfi, 0, 0);
    EXPECT(me()->traps, before + 2);
    EXPECT(me()->tval, 0x10500073);
    clear_csr(mstatus, TW);
}

static void time(void) {
    put64(MTIMECMP(0), -1);
    put64(MTIME, 0x123456789abcul);
    u64 now = get64(MTIME);
    EXPECT(now - 0x123456789abcul < 10000000ul * 60, 1);
    EXPECT(read_csr(time) - now < 10000000ul * 60, 1);
    put32(MTIME + 4, 0x77);
    EXPECT(get64(MTIME) >> 32, 0x77);
    // A comparison that the new time has passed is due, and one that it has left is not.
    put64(MTIMECMP(0), 1ul << 50);
    EXPECT(read_csr(mip) >> 7 & 1, 0);
    put64(MTIME, (1ul << 50) + 1);
    EXPECT(read_csr(mip) >> 7 & 1, 1);
    put64(MTIME, 1ul << 49);
    EXPECT(read_csr(mip) >> 7 & 1, 0);
    // A hart that sleeps for a time wakes when the time is set near to it.
    put64(MTIME, (1ul << 50) - 20000);
    write_csr(mie, 1 << 7);
    asm volatile("wfi");
    EXPECT(get64(MTIME) >= 1ul << 50, 1);
    write_csr(mie, 0);
    put64(MTIMECMP(0), -1);
}

int main(void) {
    open_memory();
    for (u64 page = 0; page < 4; page++) data[page][0] = page + 1;
    code[0][0] = 0x00b00513; // li a0, 11
    code[1][0] = 0x01600513; // li a0, 22
    code[0][1] = code[1][1] = 0x00008067; // ret
    fence_code();
    build(&spaces[0], data[0], code[0]);
    build(&spaces[1], data[1], code[1]);
    write_csr(satp, 8ul << 60 | 0xfffful << 44 | (u64)&spaces[0] >> 12);
    fence_all();
    separation();
    fences();
    enter(0);
    run_at(SUPERVISOR, run_code, 0, 0);
    write_csr(satp, 0);
    fence_all();
    returns();
    time();
    return 0;
}
