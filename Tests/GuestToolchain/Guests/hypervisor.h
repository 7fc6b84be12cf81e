// What the programs about the hypervisor extension share.
#pragma once
#include "guest.h"

// mstatus and hstatus.
#define GVA (1ul << 38)
#define MPV (1ul << 39)
#define H_GVA (1ul << 6)
#define SPV (1ul << 7)
#define SPVP (1ul << 8)
#define HU (1ul << 9)
#define VTVM (1ul << 20)
#define VTW (1ul << 21)
#define VTSR (1ul << 22)

// CSRs that the assembler of the toolchain need not know.
#define HSTATUS 0x600
#define HEDELEG 0x602
#define HIDELEG 0x603
#define HIE 0x604
#define HTIMEDELTA 0x605
#define HCOUNTEREN 0x606
#define HENVCFG 0x60a
#define HSTATEEN0 0x60c
#define HTVAL 0x643
#define HIP 0x644
#define HVIP 0x645
#define HTINST 0x64a
#define HGATP 0x680
#define VSSTATUS 0x200
#define VSIE 0x204
#define VSTVEC 0x205
#define VSSCRATCH 0x240
#define VSEPC 0x241
#define VSCAUSE 0x242
#define VSTVAL 0x243
#define VSIP 0x244
#define VSTIMECMP 0x24d
#define VSATP 0x280
#define MENVCFG 0x30a
#define MSTATEEN0 0x30c
#define MTINST 0x34a
#define MTVAL2 0x34b
#define read_number(number) ({ u64 value_; asm volatile("csrr %0, %1" : "=r"(value_) : "i"(number)); value_; })
#define write_number(number, value) asm volatile("csrw %0, %1" : : "i"(number), "r"((u64)(value)) : "memory")

#define ADUE (1ul << 61)
#define PBMTE (1ul << 62)
#define STCE (1ul << 63)

// Where code runs: HS-mode is SUPERVISOR.
#define IN_VS (SUPERVISOR | MPV)
#define IN_VU (USER | MPV)

static inline long run_in(u64 mode, long (*function)(long, long), long a, long b) {
    clear_csr(mstatus, MPV | MPP);
    long result = run_at(mode, function, a, b);
    clear_csr(mstatus, MPV | MPP);
    return result;
}

// One instruction in a mode, with `a` in a0. The result is the cause of its trap, or NONE; a0 afterwards is in `result`.
static u32 snippet[2] __attribute__((aligned(8)));
static u64 result;
static inline u64 try_in(u64 mode, u32 bits, u64 a) {
    snippet[0] = bits;
    snippet[1] = 0x00008067;  // ret
    fence_code();
    me()->cause = NONE;
    result = run_in(mode, (long (*)(long, long))snippet, a, 0);
    return caught();
}
#define READ(number) (0x00002573u | (u32)(number) << 20)    // csrrs a0, number, x0
#define WRITE(number) (0x00051073u | (u32)(number) << 20)   // csrrw x0, number, a0

// Instructions with operands of a0.
#define HFENCE_VVMA 0x22000073u
#define HFENCE_GVMA 0x62000073u
#define HINVAL_VVMA 0x26000073u
#define HINVAL_GVMA 0x66000073u
#define SFENCE_VMA 0x12000073u
#define SINVAL_VMA 0x16000073u
#define SFENCE_W_INVAL 0x18000073u
#define SFENCE_INVAL_IR 0x18100073u
#define WFI 0x10500073u
#define SRET 0x10200073u
#define MRET 0x30200073u
#define HLV_B 0x60054573u       // hlv.b a0, (a0) and so on
#define HLV_BU 0x60154573u
#define HLV_H 0x64054573u
#define HLV_HU 0x64154573u
#define HLVX_HU 0x64354573u
#define HLV_W 0x68054573u
#define HLV_WU 0x68154573u
#define HLVX_WU 0x68354573u
#define HLV_D 0x6c054573u
#define HSV_B 0x62054073u       // hsv.b x0, (a0) and so on
#define HSV_H 0x66054073u
#define HSV_W 0x6a054073u
#define HSV_D 0x6e054073u

// A trap to M-mode, with mtval2 and mtinst in `room` before machine_trap does the rest. The call by which run_at returns leaves
// them alone.
asm(R"(
.balign 4
recording_trap:
    csrrw   tp, mscratch, tp
    sd      t0, 432(tp)
    csrr    t0, mcause
    addi    t0, t0, -8
    sltiu   t0, t0, 4
    bnez    t0, 1f
    csrr    t0, 0x34b
    sd      t0, 440(tp)
    csrr    t0, 0x34a
    sd      t0, 448(tp)
1:  ld      t0, 432(tp)
    csrrw   tp, mscratch, tp
    j       machine_trap
)");
extern char recording_trap[];
#define TRAP_VALUE2 (me()->room[1])
#define TRAP_INSTRUCTION (me()->room[2])

static inline void fence_guests(void) { asm volatile(".word 0x62000073" : : : "memory"); }   // hfence.gvma x0, x0
static inline void fence_guest(void) { asm volatile(".word 0x22000073" : : : "memory"); }    // hfence.vvma x0, x0
