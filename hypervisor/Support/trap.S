// Entry from a guest, entry into a guest, and the world switch. `sscratch` holds the vCPU while a guest runs, and 0 while
// the hypervisor does.
#include "include/Layout.h"

    // Saves or loads (sd, ld) the registers of the vCPU at a0 that a function may change, but a0 itself.
    .macro temporaries instruction
    .irp n, 1,2,5,6,7,11,12,13,14,15,16,17,28,29,30,31
    \instruction x\n, 8*\n(a0)
    .endr
    .endm
    // Those that functions keep, gp and tp.
    .macro kept instruction
    .irp n, 3,4,8,9,18,19,20,21,22,23,24,25,26,27
    \instruction x\n, 8*\n(a0)
    .endr
    .endm

    .text
    .balign 4
    .globl hv_trap_entry
hv_trap_entry:
    csrrw a0, sscratch, a0
    beqz a0, hv_own_trap
    // What a function may change.
    temporaries sd
    csrrw t0, sscratch, zero
    sd t0, 80(a0)
    ld a1, HV_VCPU_HART(a0)
    ld sp, HV_HART_STACK(a1)
    csrr t1, scause
    li t2, 10                       // an environment call of VS-mode
    bne t1, t2, 1f
    addi sp, sp, -16
    sd a0, 0(sp)
    call hypervisor_quick_call      // (vcpu); 0: the call needs the rest of the hypervisor
    beqz a0, 2f
    csrr t1, sepc
    addi t1, t1, 4
    csrw sepc, t1
    csrw sscratch, a0
    temporaries ld
    ld x10, 80(a0)
    sret

2:  ld a0, 0(sp)
    addi sp, sp, 16
    ld a1, HV_VCPU_HART(a0)
    // What functions keep, gp and tp: nothing has changed them yet.
1:  kept sd
    csrr t1, sepc
    csrr t2, sstatus
    csrr t3, hstatus
    sd t1, HV_VCPU_SEPC(a0)
    sd t2, HV_VCPU_SSTATUS(a0)
    sd t3, HV_VCPU_HSTATUS(a0)
    li s0, 0
    call hypervisor_trap            // (vcpu, hart); the result is the vCPU that runs next

    .globl hv_enter
hv_enter:
    // Whatever a trap handler pushed is gone: each exit starts at the top of the hart's stack.
    csrw sscratch, a0
    ld t1, HV_VCPU_SEPC(a0)
    ld t2, HV_VCPU_SSTATUS(a0)
    ld t3, HV_VCPU_HSTATUS(a0)
    csrw sepc, t1
    csrw sstatus, t2
    csrw hstatus, t3
    kept ld
    temporaries ld
    ld x10, 80(a0)
    sret

    // A trap of the hypervisor itself is a defect, or its stack met the guard page: the machine stops with a report.
hv_own_trap:
    lla sp, hv_fault_stack_top
    csrr a0, scause
    csrr a1, sepc
    csrr a2, stval
    call hypervisor_fault
    unimp

    // (old vCPU, next vCPU)
    .globl hv_exchange_context
hv_exchange_context:
    .macro exchange csr, offset, register
    ld \register, HV_VCPU_VS+\offset(a1)
    csrrw \register, \csr, \register
    sd \register, HV_VCPU_VS+\offset(a0)
    .endm
    exchange vsstatus, 0, t0
    exchange vsie, 8, t1
    exchange vstvec, 16, t2
    exchange vsscratch, 24, t3
    exchange vsepc, 32, t0
    exchange vscause, 40, t1
    exchange vstval, 48, t2
    exchange vsatp, 56, t3
    exchange scounteren, 64, t0
    exchange senvcfg, 72, t1
    // Floating-point registers only when the guest wrote any since the last save: sstatus.FS is Dirty then.
    ld t0, HV_VCPU_SSTATUS(a0)
    li t1, 3 << 13
    and t2, t0, t1
    bne t2, t1, 1f
    li t2, 1 << 13
    xor t0, t0, t2                  // Dirty becomes Clean
    sd t0, HV_VCPU_SSTATUS(a0)
    csrs sstatus, t1
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fsd f\n, HV_VCPU_F+8*\n(a0)
    .endr
    frcsr t0
    sd t0, HV_VCPU_FCSR(a0)
1:  ret

    .globl hv_load_floats
hv_load_floats:
    li t1, 3 << 13
    csrs sstatus, t1
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fld f\n, HV_VCPU_F+8*\n(a0)
    .endr
    ld t0, HV_VCPU_FCSR(a0)
    fscsr t0
    ret

    // The functions below point stvec at their own end while they execute the instruction that may trap. The trap changes sepc, sstatus and
    // hstatus.SPV; the frame of the vCPU has them all, and entry writes them again.
    .globl hv_fetch
hv_fetch:
    mv t1, a0
    lla t0, 1f
    csrrw t0, stvec, t0
    li a0, -1
    hlvx.hu a0, (t1)
    .balign 4
1:  csrw stvec, t0
    ret

    .globl hv_probe_environment
hv_probe_environment:
    mv t1, a0
    lla t0, 1f
    csrrw t0, stvec, t0
    li a0, 0
    csrs 0x60a, t1                  // henvcfg
    csrr a0, 0x60a
    .balign 4
1:  csrw stvec, t0
    ret

    .globl hv_enable_state
hv_enable_state:
    lla t0, 1f
    csrrw t0, stvec, t0
    csrs 0x60c, a0                  // hstateen0
    .balign 4
1:  csrw stvec, t0
    ret

    .globl hv_probe_timer
hv_probe_timer:
    lla t0, 1f
    csrrw t0, stvec, t0
    li a0, 0
    csrr t1, 0x14d                  // stimecmp
    li a0, 1
    .balign 4
1:  csrw stvec, t0
    ret

    .section .note.GNU-stack, "", @progbits
