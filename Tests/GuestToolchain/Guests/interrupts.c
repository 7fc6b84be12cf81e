// Interrupts: priority, enables, delegation, vectors, WFI, the timer of S-mode; legal values of the registers
// (Privileged Architecture 3.1, 10.1, Sstc).
#include "guest.h"

enum { SSI = 1, MSI = 3, STI = 5, MTI = 7, SEI = 9, MEI = 11 };
#define BIT(number) (1ul << (number))
#define INTERRUPT BIT(63)
#define STCE BIT(63)

static long idle(long a, long b) { (void)b; asm volatile("nop\nnop"); return a; }
// On a busy host, the interrupt may come before the first WFI, which would wait for ever then.
static long wait(long a, long b) {
    (void)b;
    while (*(volatile u64 *)&me()->cause == NONE) asm volatile("wfi");
    return a;
}
static long enable_supervisor(long a, long b) {
    (void)b;
    write_csr(stvec, supervisor_trap);
    write_csr(sscratch, me());
    set_csr(sstatus, SIE);
    asm volatile("nop");
    clear_csr(sstatus, SIE);
    return a;
}

// All six pending: software bits, the timer, an MSIP, and the serial port through the PLIC.
static void raise_all(void) {
    write_csr(mip, BIT(SSI) | BIT(STI) | BIT(SEI));
    put32(MSIP(0), 1);
    put64(MTIMECMP(0), 0);
    put32(PLIC + 4 * 10, 1);
    put32(PLIC + 0x2000, 1 << 10);
    put32(PLIC + 0x200000, 0);
    *(volatile u8 *)(UART + 1) = 2;
    while (!(read_csr(mip) & BIT(MEI)) || !(read_csr(mip) & BIT(MTI)) || !(read_csr(mip) & BIT(MSI))) {}
}

static u64 take(u64 status) {
    me()->cause = NONE;
    run_at(status, idle, 0, 0);
    return me()->cause;
}

int main(void) {
    open_memory();
    u64 all = BIT(SSI) | BIT(MSI) | BIT(STI) | BIT(MTI) | BIT(SEI) | BIT(MEI);
    // Only the standard interrupts can be enabled, only S-mode's delegated.
    write_csr(mie, -1);
    // QEMU 7.2 keeps the bits of the hypervisor extension without it.
    EXPECT(read_csr(mie) & (is_qemu() ? all : -1ul), all);
    write_csr(mie, 0);
    write_csr(mideleg, -1);
    EXPECT(read_csr(mideleg) & all, BIT(SSI) | BIT(STI) | BIT(SEI));
    write_csr(mideleg, 0);
    write_csr(medeleg, -1);
    if (!is_qemu()) EXPECT(read_csr(medeleg) & BIT(CALL_MACHINE), 0);
    EXPECT(read_csr(medeleg) & 0xb1ff, 0xb1ff);
    write_csr(medeleg, 0);

    raise_all();
    EXPECT(read_csr(mip) & all, all);
    // In M-mode nothing is taken without MIE; in lower modes M-mode's interrupts always are.
    write_csr(mie, all);
    clear_csr(mstatus, MIE);
    me()->cause = NONE;
    asm volatile("nop");
    EXPECT(caught(), NONE);
    // Each alone, from U-mode. The handler masks what it took.
    static const int order[] = {MEI, MSI, MTI, SEI, SSI, STI};
    write_csr(mie, all);
    for (int index = 0; index < 6; index++) {
        write_csr(mie, BIT(order[index]));
        EXPECT(take(USER), INTERRUPT | order[index]);
        EXPECT(me()->tval, 0);
    }
    // All together, vectored, in the order of priority: each vector masks its own and logs.
    extern char vectors[];
    extern u64 vector_log[8], vector_count;
    write_csr(mtvec, (u64)vectors | 1);
    write_csr(mie, all);
    set_csr(mstatus, MIE);
    asm volatile("nop");
    clear_csr(mstatus, MIE);
    write_csr(mtvec, machine_trap);
    EXPECT(vector_count, 6);
    // QEMU 7.2 takes the lowest number first.
    for (int index = 0; index < 6 && !is_qemu(); index++) EXPECT(vector_log[index], order[index]);

    // Delegated: not in M-mode, always in U-mode, in S-mode with SIE.
    write_csr(mideleg, BIT(SSI));
    write_csr(mie, BIT(SSI));
    set_csr(mstatus, MIE);
    me()->cause = NONE;
    asm volatile("nop");
    clear_csr(mstatus, MIE);
    EXPECT(caught(), NONE);
    EXPECT(take(SUPERVISOR), NONE);
    me()->level = 0;
    run_at(SUPERVISOR, enable_supervisor, 0, 0);
    EXPECT(me()->cause, INTERRUPT | SSI);
    EXPECT(me()->level, 1);
    write_csr(mie, BIT(SSI));
    me()->level = 0;
    EXPECT(take(USER), INTERRUPT | SSI);
    EXPECT(me()->level, 1);
    // sip and sie show what is delegated; of sip only SSIP can be written.
    write_csr(mie, all);
    EXPECT(read_csr(sie), BIT(SSI));
    EXPECT(read_csr(sip), BIT(SSI));
    write_csr(sip, 0);
    EXPECT(read_csr(mip) & BIT(SSI), 0);
    write_csr(mideleg, BIT(SSI) | BIT(STI) | BIT(SEI));
    EXPECT(read_csr(sip), BIT(STI) | BIT(SEI));
    write_csr(sip, 0);
    EXPECT(read_csr(sip), BIT(STI) | BIT(SEI));
    write_csr(mip, 0);
    write_csr(mideleg, 0);

    // WFI goes on with a pending interrupt that is enabled, taken or not.
    write_csr(mie, BIT(MSI));
    asm volatile("wfi");
    put32(MSIP(0), 0);
    put64(MTIMECMP(0), get64(MTIME) + 20000);
    write_csr(mie, BIT(MTI));
    asm volatile("wfi");
    EXPECT(read_csr(mip) & BIT(MTI), BIT(MTI));
    me()->cause = NONE;
    put64(MTIMECMP(0), get64(MTIME) + 1000000);
    write_csr(mie, BIT(MTI));
    run_at(SUPERVISOR, wait, 0, 0);
    EXPECT(me()->cause, INTERRUPT | MTI);
    put64(MTIMECMP(0), -1);

    // Sstc: stimecmp makes STIP, which then is no bit of software's.
    write_csr(0x30a, STCE);
    write_csr(0x14d, -1);
    EXPECT(read_csr(mip) & BIT(STI), 0);
    write_csr(0x14d, 0);
    EXPECT(read_csr(mip) & BIT(STI), BIT(STI));
    write_csr(mip, 0);
    EXPECT(read_csr(mip) & BIT(STI), BIT(STI));
    write_csr(0x14d, -1);
    EXPECT(read_csr(mip) & BIT(STI), 0);

    // Legal values.
    write_csr(mtvec, (u64)machine_trap | 2);
    EXPECT(read_csr(mtvec) & 2, 0);
    write_csr(mtvec, machine_trap);
    write_csr(mepc, -1);
    EXPECT(read_csr(mepc), is_qemu() ? read_csr(mepc) : -2ul);
    write_csr(mscratch, -1);
    EXPECT(read_csr(mscratch), -1ul);
    write_csr(mscratch, me());
    EXPECT(read_csr(misa) >> 62, 2);
    EXPECT(read_csr(misa) & 0x14112d, 0x14112d);  // A C D F I M S U
    write_csr(mstatus, 0);
    EXPECT(read_csr(mstatus), 10ul << 32);
    write_csr(mstatus, FS);
    EXPECT(read_csr(mstatus), 10ul << 32 | FS | BIT(63));
    set_csr(mstatus, SIE | SPIE | SPP | SUM | MXR | TVM | TW | TSR | MPRV | MPP);
    EXPECT(read_csr(sstatus), 2ul << 32 | FS | BIT(63) | SIE | SPIE | SPP | SUM | MXR);
    write_csr(mstatus, FS);
    if (!is_qemu()) {
        write_csr(mstatus, FS | MACHINE);
        write_csr(mstatus, FS | 2 << 11);
        EXPECT(read_csr(mstatus) & MPP, MACHINE);
    }
    // Counters that stand still.
    write_csr(mcountinhibit, 5);
    write_csr(minstret, 100);
    asm volatile("nop\nnop");
    if (!is_qemu()) EXPECT(read_csr(minstret), 100);
    write_csr(mcountinhibit, 0);
    u64 before = read_csr(instret);
    EXPECT(read_csr(instret) > before, 1);
    if (!is_qemu()) {
        write_csr(minstret, 1000);
        EXPECT(read_csr(minstret), 1000);
    }
    return 0;
}

asm(".pushsection .text\n.option push\n.option norvc\n.balign 256\n.globl vectors\nvectors:\n"
    "j stray\nj vector1\nj stray\nj vector3\nj stray\nj vector5\nj stray\nj vector7\nj stray\nj vector9\nj stray\nj vector11\n"
    ".macro vector n\nvector\\n:\ncsrrw t6, mscratch, t6\nli t6, \\n\nj log_vector\n.endm\n"
    "vector 1\nvector 3\nvector 5\nvector 7\nvector 9\nvector 11\n"
    "stray: li t6, 99\n"
    // t6 is the number; mscratch holds the old t6 and the hart is in tp.
    "log_vector:\nsd t5, 8*31(tp)\nsd t4, 8*30(tp)\n"
    "la t5, vector_count\nld t4, 0(t5)\naddi t4, t4, 1\nsd t4, 0(t5)\nslli t4, t4, 3\nla t5, vector_log\nadd t5, t5, t4\n"
    "sd t6, -8(t5)\nli t5, 1\nsll t5, t5, t6\ncsrc mie, t5\n"
    "ld t5, 8*31(tp)\nld t4, 8*30(tp)\nmv t6, tp\ncsrrw t6, mscratch, t6\nmret\n"
    ".option pop\n.popsection\n");
u64 vector_log[8], vector_count;
