// Offsets that assembly and C share. Support.h asserts that they are the structures' own.
#ifndef HV_LAYOUT_H
#define HV_LAYOUT_H

#define HV_STACK_SIZE 16384
#define HV_GUARD_SIZE 4096
#define HV_HARTS 8

// struct hv_vcpu
#define HV_VCPU_SEPC 256
#define HV_VCPU_SSTATUS 264
#define HV_VCPU_HSTATUS 272
#define HV_VCPU_HART 280
#define HV_VCPU_VS 288
#define HV_VCPU_F 376
#define HV_VCPU_FCSR 632

// struct hv_hart
#define HV_HART_STACK 0
#define HV_HART_ID 8
#define HV_HART_SIZE 152

#endif
