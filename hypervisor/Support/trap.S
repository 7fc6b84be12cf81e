// Entry from a guest, entry into a guest, and the world switch. `sscratch` holds the vCPU while a guest runs, and 0 while
// the hypervisor does.
#include "include/Layout.h"

    .text
    .balign 4
    .globl hv_trap_entry
hv_trap_entry:
    csrrw a0, sscratch, a0
    beqz a0, hv_own_trap
    // What a function may change.
    sd x1, 8(a0)
    sd x2, 16(a0)
    sd x5, 40(a0)
    sd x6, 48(a0)
    sd x7, 56(a0)
    sd x11, 88(a0)
    sd x12, 96(a0)
    sd x13, 104(a0)
    sd x14, 112(a0)
    sd x15, 120(a0)
    sd x16, 128(a0)
    sd x17, 136(a0)
    sd x28, 224(a0)
    sd x29, 232(a0)
    sd x30, 240(a0)
    sd x31, 248(a0)
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
    ld x1, 8(a0)
    ld x2, 16(a0)
    ld x5, 40(a0)
    ld x6, 48(a0)
    ld x7, 56(a0)
    ld x11, 88(a0)
    ld x12, 96(a0)
    ld x13, 104(a0)
    ld x14, 112(a0)
    ld x15, 120(a0)
    ld x16, 128(a0)
    ld x17, 136(a0)
    ld x28, 224(a0)
    ld x29, 232(a0)
    ld x30, 240(a0)
    ld x31, 248(a0)
    ld x10, 80(a0)
    sret

2:  ld a0, 0(sp)
    addi sp, sp, 16
    ld a1, HV_VCPU_HART(a0)
    // What functions keep, gp and tp: nothing has changed them yet.
1:  sd x3, 24(a0)
    sd x4, 32(a0)
    sd x8, 64(a0)
    sd x9, 72(a0)
    sd x18, 144(a0)
    sd x19, 152(a0)
    sd x20, 160(a0)
    sd x21, 168(a0)
    sd x22, 176(a0)
    sd x23, 184(a0)
    sd x24, 192(a0)
    sd x25, 200(a0)
    sd x26, 208(a0)
    sd x27, 216(a0)
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
    ld x1, 8(a0)
    ld x2, 16(a0)
    ld x3, 24(a0)
    ld x4, 32(a0)
    ld x5, 40(a0)
    ld x6, 48(a0)
    ld x7, 56(a0)
    ld x8, 64(a0)
    ld x9, 72(a0)
    ld x11, 88(a0)
    ld x12, 96(a0)
    ld x13, 104(a0)
    ld x14, 112(a0)
    ld x15, 120(a0)
    ld x16, 128(a0)
    ld x17, 136(a0)
    ld x18, 144(a0)
    ld x19, 152(a0)
    ld x20, 160(a0)
    ld x21, 168(a0)
    ld x22, 176(a0)
    ld x23, 184(a0)
    ld x24, 192(a0)
    ld x25, 200(a0)
    ld x26, 208(a0)
    ld x27, 216(a0)
    ld x28, 224(a0)
    ld x29, 232(a0)
    ld x30, 240(a0)
    ld x31, 248(a0)
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

    .globl hv_save_context
hv_save_context:
    csrr t0, vsstatus
    csrr t1, vsie
    csrr t2, vstvec
    csrr t3, vsscratch
    sd t0, HV_VCPU_VS+0(a0)
    sd t1, HV_VCPU_VS+8(a0)
    sd t2, HV_VCPU_VS+16(a0)
    sd t3, HV_VCPU_VS+24(a0)
    csrr t0, vsepc
    csrr t1, vscause
    csrr t2, vstval
    csrr t3, vsatp
    sd t0, HV_VCPU_VS+32(a0)
    sd t1, HV_VCPU_VS+40(a0)
    sd t2, HV_VCPU_VS+48(a0)
    sd t3, HV_VCPU_VS+56(a0)
    csrr t0, scounteren
    csrr t1, senvcfg
    sd t0, HV_VCPU_VS+64(a0)
    sd t1, HV_VCPU_VS+72(a0)
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

    .globl hv_load_context
hv_load_context:
    ld t0, HV_VCPU_VS+0(a0)
    ld t1, HV_VCPU_VS+8(a0)
    ld t2, HV_VCPU_VS+16(a0)
    ld t3, HV_VCPU_VS+24(a0)
    csrw vsstatus, t0
    csrw vsie, t1
    csrw vstvec, t2
    csrw vsscratch, t3
    ld t0, HV_VCPU_VS+32(a0)
    ld t1, HV_VCPU_VS+40(a0)
    ld t2, HV_VCPU_VS+48(a0)
    ld t3, HV_VCPU_VS+56(a0)
    csrw vsepc, t0
    csrw vscause, t1
    csrw vstval, t2
    csrw vsatp, t3
    ld t0, HV_VCPU_VS+64(a0)
    ld t1, HV_VCPU_VS+72(a0)
    csrw scounteren, t0
    csrw senvcfg, t1
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
