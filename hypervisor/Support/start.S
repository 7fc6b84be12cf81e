// Where firmware starts the boot hart, and where the boot hart starts the others.
#include "include/Layout.h"

    // The header of a flat Image, as the RISC-V kernel's boot-image-header describes it.
    .section .head, "ax"
    .globl hv_image_start
hv_image_start:
    j hv_start
    .balign 8
    .quad 0x200000                      // text_offset
    .quad hv_image_end - hv_image_start // image_size; scripts/hypervisor-image adds the guests
    .quad 0                             // flags: little endian
    .word 2                             // version 0.2
    .word 0
    .quad 0
    .ascii "RISCV\0\0\0"
    .ascii "RSC\005"
    .word 0

    .text
    // a0: hart, a1: device tree
hv_start:
    csrw sie, zero
    csrw sscratch, zero
    lla t0, hv_is_booting
    li t1, 1
    amoswap.w.aqrl t1, t1, (t0)
    bnez t1, hv_late_start
    // The image is linked at 0: words that hold addresses get the address of the load (R_RISCV_RELATIVE = 3).
    lla t0, hv_image_start
    lla t1, hv_rela_start
    lla t2, hv_rela_end
1:  bgeu t1, t2, 2f
    ld t3, 0(t1)
    ld t4, 8(t1)
    ld t5, 16(t1)
    addi t1, t1, 24
    li t6, 3
    bne t4, t6, 1b
    add t3, t3, t0
    add t5, t5, t0
    sd t5, 0(t3)
    j 1b
2:  lla t1, hv_bss_start
    lla t2, hv_image_end
3:  bgeu t1, t2, 4f
    sd zero, 0(t1)
    addi t1, t1, 8
    j 3b
4:  lla sp, hv_stacks + HV_GUARD_SIZE + HV_STACK_SIZE
    li s0, 0
    lla t0, hv_trap_entry
    csrw stvec, t0
    call hypervisor_boot
    unimp

    // OpenSBI before 1.2 lets a hart that it starts go on before the new start address is written: then the hart arrives here a second
    // time, with only a0 to trust.
hv_late_start:
    lla t0, hv_first_hart
    ld a1, 0(t0)
    li t1, HV_HARTS
    beqz a1, 2f
1:  ld t2, HV_HART_ID(a1)
    beq t2, a0, hv_secondary_start
    addi a1, a1, HV_HART_SIZE
    addi t1, t1, -1
    bnez t1, 1b
2:  wfi
    j 2b

    // a0: hart number, a1: its struct hv_hart
    .globl hv_secondary_start
hv_secondary_start:
    csrw sie, zero
    csrw sscratch, zero
    ld sp, HV_HART_STACK(a1)
    li s0, 0
    lla t0, hv_trap_entry
    csrw stvec, t0
    mv a0, a1
    call hypervisor_secondary
    unimp

    // Not in .bss, which the boot hart clears after it has taken the first word.
    .section .data.start, "aw"
    .balign 8
hv_is_booting:
    .quad 0
    .globl hv_first_hart
hv_first_hart:
    .quad 0

    .section .bss.stacks, "aw", @nobits
    .balign 4096
    .globl hv_stacks
hv_stacks:
    // Each hart's guard page, then its stack.
    .zero HV_HARTS * (HV_GUARD_SIZE + HV_STACK_SIZE)
hv_fault_stack:
    .zero 4096
    .globl hv_fault_stack_top
hv_fault_stack_top:
