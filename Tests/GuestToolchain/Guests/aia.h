// What the programs about the Advanced Interrupt Architecture share: its CSRs and the places of its controllers.
#pragma once
#include "hypervisor.h"

#define MVIEN 0x308
#define MVIP 0x309
#define MISELECT 0x350
#define MIREG 0x351
#define MTOPEI 0x35c
#define MTOPI 0xfb0
#define SISELECT 0x150
#define SIREG 0x151
#define STOPEI 0x15c
#define STOPI 0xdb0
#define VSISELECT 0x250
#define VSIREG 0x251
#define VSTOPEI 0x25c
#define VSTOPI 0xeb0
#define HGEIE 0x607
#define HVICTL 0x609
#define HVIPRIO1 0x646
#define HVIPRIO2 0x647
#define HGEIP 0xe12

// Registers of an interrupt file.
#define EIDELIVERY 0x70
#define EITHRESHOLD 0x72
#define EIP 0x80
#define EIE 0xc0

#define IMSIC_M 0x24000000ul
#define IMSIC_S 0x28000000ul
#define APLIC_M 0xc000000ul
#define APLIC_S 0xd000000ul
// Registers of a domain.
#define SOURCE(n) (4 * (n))
#define SETIP 0x1c00
#define SETIPNUM 0x1cdc
#define CLRIP 0x1d00
#define CLRIPNUM 0x1ddc
#define SETIE 0x1e00
#define SETIENUM 0x1edc
#define CLRIE 0x1f00
#define CLRIENUM 0x1fdc
#define SETIPNUM_LE 0x2000
#define GENMSI 0x3000
#define TARGET(n) (0x3000 + 4 * (n))
#define RISING 4
#define FALLING 5
#define HIGH 6
#define LOW 7

#define BIT(number) (1ul << (number))
#define INTERRUPT BIT(63)
#define TOP(identity) ((u64)(identity) << 16 | (identity))
// Of mtopi and its like only the number is the same for all implementations.
#define NUMBER(top) ((top) >> 16)

// A register behind a window.
#define WINDOW(name, select, alias) \
    static inline u64 get_##name(u64 number) { write_number(select, number); return read_number(alias); } \
    static inline void put_##name(u64 number, u64 value) { write_number(select, number); write_number(alias, value); } \
    static inline void set_##name(u64 number, u64 bits) { write_number(select, number); \
        asm volatile("csrs %0, %1" : : "i"(alias), "r"(bits) : "memory"); } \
    static inline void clear_##name(u64 number, u64 bits) { write_number(select, number); \
        asm volatile("csrc %0, %1" : : "i"(alias), "r"(bits) : "memory"); } \
    static inline u64 refusal_##name(u64 number) { write_number(select, number); (void)try_read(alias); return caught(); }
WINDOW(m, MISELECT, MIREG)
WINDOW(s, SISELECT, SIREG)
WINDOW(vs, VSISELECT, VSIREG)
#undef WINDOW

// Claims the top interrupt of a file.
#define claim(number) ({ u64 value_; asm volatile("csrrw %0, %1, x0" : "=r"(value_) : "i"(number) : "memory"); value_; })

// What runs in a mode below: `run_at` calls it.
static inline long nothing(long a, long b) { (void)b; asm volatile("nop\nnop"); return a; }
// In S-mode or VS-mode: takes one interrupt, if any is there.
static inline void let_in(void) {
    write_csr(stvec, supervisor_trap);
    write_csr(sscratch, me());
    me()->cause = NONE;
    set_csr(sstatus, SIE);
    asm volatile("nop");
    clear_csr(sstatus, SIE);
}

// The output is what machines are compared by.
static inline void report(const char *what, u64 value) {
    print(what);
    print(" ");
    print_hex(value);
    print("\n");
}
