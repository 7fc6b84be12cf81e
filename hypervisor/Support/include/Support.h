// The instructions that Swift has no names for, and the structures that assembly reads.
#ifndef HV_SUPPORT_H
#define HV_SUPPORT_H

#include <stddef.h>
#include <stdint.h>
#include "Layout.h"

struct hv_hart;

/// A virtual processor. The first fields are the trap frame: trap.S saves and restores them at each exit.
struct hv_vcpu {
    uint64_t x[32];         // x[0] is unused
    uint64_t sepc;          // the guest's program counter
    uint64_t sstatus;       // SPP and FS at entry
    uint64_t hstatus;
    struct hv_hart *hart;   // where it runs, or ran last
    // The VS-mode CSRs, saved and restored at each world switch.
    uint64_t vsstatus, vsie, vstvec, vsscratch, vsepc, vscause, vstval, vsatp, scounteren, senvcfg, hvip;
    uint64_t f[32];
    uint64_t fcsr;
    // The deadline of the guest's timer, in ticks of `time`; all ones: none.
    uint64_t deadline;
    // Interrupts that others raised: VSSIP and VSEIP of hvip. The hart of the vCPU merges them at entry.
    uint64_t raised;
    // Scheduling; see Scheduler.swift.
    uint64_t virtual_time, run_time, since, affinity, exits, switches, waits;
    struct hv_vcpu *next;   // in the run queue
    uint64_t owner;         // the address of its guest
    uint64_t hgatp;         // the guest's tables and VMID
    struct hv_hart *floats; // the hart that loaded its floating-point registers last
    uint64_t vsiselect;     // saved and restored at each world switch where the harts have guest interrupt files
    uint64_t file;          // the page of its guest interrupt file, for messages; 0: it has none
    uint32_t state;
    uint8_t guest;          // index in the guest table
    uint8_t id;             // the hart number inside the guest
    uint8_t index;          // in the vCPU table
    uint8_t flush;          // its translations may be stale on the hart where it runs next
};

/// A hart of the board.
struct hv_hart {
    uint64_t stack;         // top of its stack
    uint64_t id;            // the firmware's number
    struct hv_vcpu *current;
    struct hv_vcpu *loaded; // whose VS-mode CSRs the hart holds; never null, nor is `nobody`
    struct hv_vcpu *nobody; // a context without interrupts, loaded while the hart holds no vCPU
    struct hv_vcpu *floats; // whose floating-point registers the hart holds, if they are not newer elsewhere
    uint64_t timer;         // what the hart's timer is set to; 0: it has fired
    uint64_t wake;          // no vCPU that waits on this hart has an earlier timer
    uint64_t idle_since;    // 0: busy
    uint64_t idle_time;
    // Work of devices that is left for the hart's timer (Devices.swift): a bit each, the one served last, and when.
    uint64_t postponed, last_postponed, due;
    uint64_t interrupt_file;    // the page of its supervisor's interrupt file; 0: none
    uint32_t index;
    uint32_t interrupt_context; // its number in the board's interrupt controller; all ones: none
    uint8_t online, reschedule, interrupt_phandle_known;
    // The board's: whether firmware lets supervisors have stimecmp and vstimecmp (Sstc), and whether hgatp has VMIDs.
    uint8_t has_timer_compare, has_vmids;
    // Whether the harts have guest interrupt files, and the guest (its index + 1) that has this hart's; 0: none.
    uint8_t has_guest_files, file_owner;
    uint32_t interrupt_phandle;
    // Per guest, the last vCPU (its index + 1) that ran here: another one with the same VMID needs a fence. 0: none did.
    uint8_t resident[16];
};

_Static_assert(offsetof(struct hv_vcpu, sepc) == HV_VCPU_SEPC, "Layout.h");
_Static_assert(offsetof(struct hv_vcpu, sstatus) == HV_VCPU_SSTATUS, "Layout.h");
_Static_assert(offsetof(struct hv_vcpu, hstatus) == HV_VCPU_HSTATUS, "Layout.h");
_Static_assert(offsetof(struct hv_vcpu, hart) == HV_VCPU_HART, "Layout.h");
_Static_assert(offsetof(struct hv_vcpu, vsstatus) == HV_VCPU_VS, "Layout.h");
_Static_assert(offsetof(struct hv_vcpu, f) == HV_VCPU_F, "Layout.h");
_Static_assert(offsetof(struct hv_vcpu, fcsr) == HV_VCPU_FCSR, "Layout.h");
_Static_assert(offsetof(struct hv_hart, stack) == HV_HART_STACK, "Layout.h");
_Static_assert(offsetof(struct hv_hart, id) == HV_HART_ID, "Layout.h");
_Static_assert(sizeof(struct hv_hart) == HV_HART_SIZE, "Layout.h");

#define HV_CSR(name, csr) \
    static inline __attribute__((always_inline)) uint64_t hv_read_##name(void) { \
        uint64_t value; \
        __asm__ volatile("csrr %0, " #csr : "=r"(value) : : "memory"); \
        return value; \
    } \
    static inline __attribute__((always_inline)) void hv_write_##name(uint64_t value) { \
        __asm__ volatile("csrw " #csr ", %0" : : "r"(value) : "memory"); \
    }

HV_CSR(sie, sie)
HV_CSR(sip, sip)
HV_CSR(scause, scause)
HV_CSR(stval, stval)
HV_CSR(satp, satp)
HV_CSR(stvec, stvec)
HV_CSR(sscratch, sscratch)
HV_CSR(scounteren, scounteren)
HV_CSR(hstatus, 0x600)
HV_CSR(htval, 0x643)
HV_CSR(htinst, 0x64a)
HV_CSR(hedeleg, 0x602)
HV_CSR(hideleg, 0x603)
HV_CSR(hcounteren, 0x606)
HV_CSR(hgatp, 0x680)
HV_CSR(hvip, 0x645)
HV_CSR(htimedelta, 0x605)
HV_CSR(vsstatus, 0x200)
HV_CSR(vstvec, 0x205)
HV_CSR(vsepc, 0x241)
HV_CSR(vscause, 0x242)
HV_CSR(vstval, 0x243)
HV_CSR(vsatp, 0x280)
HV_CSR(vsip, 0x244)
HV_CSR(vsie, 0x204)
HV_CSR(stimecmp, 0x14d)
HV_CSR(vstimecmp, 0x24d)
HV_CSR(siselect, 0x150)
HV_CSR(sireg, 0x151)
HV_CSR(vsiselect, 0x250)
HV_CSR(vsireg, 0x251)
HV_CSR(hgeie, 0x607)

/// Claims the best interrupt of the hart's interrupt file (stopei): its identity in bits 16 and up; 0: none.
static inline __attribute__((always_inline)) uint64_t hv_claim_message(void) {
    uint64_t value;
    __asm__ volatile("csrrw %0, 0x15c, zero" : "=r"(value) : : "memory");
    return value;
}

static inline __attribute__((always_inline)) uint64_t hv_time(void) {
    uint64_t value;
    __asm__ volatile("rdtime %0" : "=r"(value));
    return value;
}

static inline __attribute__((always_inline)) void hv_wait_for_interrupt(void) { __asm__ volatile("wfi" : : : "memory"); }
static inline __attribute__((always_inline)) void hv_fence_tables(void) { __asm__ volatile("sfence.vma" : : : "memory"); }
static inline __attribute__((always_inline)) void hv_fence_instructions(void) { __asm__ volatile("fence.i" : : : "memory"); }
static inline __attribute__((always_inline)) void hv_fence_devices(void) { __asm__ volatile("fence iorw, iorw" : : : "memory"); }
/// HFENCE.GVMA of everything.
static inline __attribute__((always_inline)) void hv_fence_guest_tables(void) { __asm__ volatile(".word 0x62000073" : : : "memory"); }
/// HFENCE.VVMA of everything that belongs to the present VMID.
static inline __attribute__((always_inline)) void hv_fence_virtual_tables(void) { __asm__ volatile(".word 0x22000073" : : : "memory"); }
static inline __attribute__((always_inline)) void hv_clear_software_interrupt(void) { __asm__ volatile("csrci sip, 2" : : : "memory"); }

/// Where the function that calls this one returns to.
static inline __attribute__((always_inline)) uint64_t hv_return_address(void) { return (uint64_t)__builtin_return_address(0); }

// Device registers, and memory that a guest or a device changes at any time: each call is exactly one access.
static inline __attribute__((always_inline)) uint8_t hv_load8(uint64_t address) { return *(volatile uint8_t *)address; }
static inline __attribute__((always_inline)) uint32_t hv_load32(uint64_t address) { return *(volatile uint32_t *)address; }
static inline __attribute__((always_inline)) void hv_store8(uint64_t address, uint8_t value) { *(volatile uint8_t *)address = value; }
static inline __attribute__((always_inline)) void hv_store32(uint64_t address, uint32_t value) { *(volatile uint32_t *)address = value; }
static inline __attribute__((always_inline)) uint16_t hv_load16(uint64_t address) { return *(volatile uint16_t *)address; }
static inline __attribute__((always_inline)) uint64_t hv_load64(uint64_t address) { return *(volatile uint64_t *)address; }
static inline __attribute__((always_inline)) void hv_store16(uint64_t address, uint16_t value) { *(volatile uint16_t *)address = value; }
static inline __attribute__((always_inline)) void hv_store64(uint64_t address, uint64_t value) { *(volatile uint64_t *)address = value; }

struct hv_sbi_result { int64_t error; int64_t value; };

static inline __attribute__((always_inline)) struct hv_sbi_result hv_sbi(uint64_t extension, uint64_t function, uint64_t x, uint64_t y, uint64_t z,
                                          uint64_t u, uint64_t v) {
    register uint64_t a0 __asm__("a0") = x;
    register uint64_t a1 __asm__("a1") = y;
    register uint64_t a2 __asm__("a2") = z;
    register uint64_t a3 __asm__("a3") = u;
    register uint64_t a4 __asm__("a4") = v;
    register uint64_t a6 __asm__("a6") = function;
    register uint64_t a7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7) : "memory");
    return (struct hv_sbi_result){(int64_t)a0, (int64_t)a1};
}

/// The one lock of the hypervisor: a ticket lock, so that harts get it in the order in which they ask.
struct hv_lock { uint32_t next, serving; };

extern struct hv_lock hv_kernel_lock;

static inline __attribute__((always_inline)) void hv_acquire(void) {
    struct hv_lock *lock = &hv_kernel_lock;
    uint32_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket) { }
}

static inline __attribute__((always_inline)) void hv_release(void) {
    struct hv_lock *lock = &hv_kernel_lock;
    __atomic_store_n(&lock->serving, lock->serving + 1, __ATOMIC_RELEASE);
}

// start.S and trap.S
/// The table of harts, for a hart that firmware starts at the wrong address.
extern uint64_t hv_first_hart;
static inline void hv_set_first_hart(const struct hv_hart *harts) { hv_first_hart = (uint64_t)harts; }
void hv_secondary_start(void);
void hv_trap_entry(void);
/// Runs the guest; never returns: the next exit calls hypervisor_trap on the hart's empty stack.
_Noreturn void hv_enter(struct hv_vcpu *vcpu);
/// Saves the VS-mode CSRs of `old`, and its floating-point registers if the guest wrote any, and loads the VS-mode CSRs of `next`.
void hv_exchange_context(struct hv_vcpu *old, const struct hv_vcpu *next);
void hv_load_floats(const struct hv_vcpu *vcpu);
/// The halfword that the guest would fetch at `address` (HLVX.HU); -1: the guest's tables forbid it.
int64_t hv_fetch(uint64_t address);
/// Sets bits of henvcfg and reads it; 0: there is no such CSR.
uint64_t hv_probe_environment(uint64_t bits);
/// Sets bits of hstateen0, if there is such a CSR.
void hv_enable_state(uint64_t bits);
/// Whether stimecmp can be read. Some harts keep henvcfg.STCE even where firmware forbids the CSR.
int64_t hv_probe_timer(void);

// The image's parts; see link.ld.
#define HV_SYMBOL(name) \
    extern uint8_t hv_##name[]; \
    static inline __attribute__((always_inline)) uint64_t hv_address_of_##name(void) { return (uint64_t)hv_##name; }

HV_SYMBOL(image_start)
HV_SYMBOL(text_end)
HV_SYMBOL(rodata_end)
HV_SYMBOL(image_end)
HV_SYMBOL(stacks)

static inline __attribute__((always_inline)) uint64_t hv_address_of_secondary_start(void) { return (uint64_t)hv_secondary_start; }

/// hart->resident[guest], which Swift sees as a tuple.
static inline __attribute__((always_inline)) uint8_t hv_resident(const struct hv_hart *hart, uint8_t guest) { return hart->resident[guest & 15]; }
static inline __attribute__((always_inline)) void hv_set_resident(struct hv_hart *hart, uint8_t guest, uint8_t vcpu) {
    hart->resident[guest & 15] = vcpu;
}

#endif
