// Linux's KVM interface (Documentation/virt/kvm/api.rst) for Swift. Swift imports its structures, but no function-like macros, so
// request numbers and offsets in struct kvm_run are constants here.
#pragma once

#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>

/// Installs the handler of the kick signal, which makes KVM_RUN return. Returns -1 with errno set on failure.
int aerie_kvm_install_kick_handler(void);

/// Sends the kick signal to a thread of this process: its KVM_RUN, if it is in one, returns. The thread must not have ended.
void aerie_kvm_kick(unsigned long thread);

/// Unblocks the kick signal for the calling thread, which may have inherited a mask that blocks it. Returns the thread's
/// argument for `aerie_kvm_kick`.
unsigned long aerie_kvm_accept_kicks(void);

/// ioctl(2) KVM_RUN. Returns 0 or the errno value.
int aerie_kvm_run(int descriptor);

/// ioctl(2) with an integer argument.
int aerie_kvm_ioctl_value(int descriptor, unsigned long request, unsigned long argument);

// Requests of every architecture.
static const unsigned long AERIE_KVM_GET_API_VERSION = KVM_GET_API_VERSION;
static const unsigned long AERIE_KVM_CREATE_VM = KVM_CREATE_VM;
static const unsigned long AERIE_KVM_CHECK_EXTENSION = KVM_CHECK_EXTENSION;
static const unsigned long AERIE_KVM_GET_VCPU_MMAP_SIZE = KVM_GET_VCPU_MMAP_SIZE;
static const unsigned long AERIE_KVM_CREATE_VCPU = KVM_CREATE_VCPU;
static const unsigned long AERIE_KVM_SET_USER_MEMORY_REGION = KVM_SET_USER_MEMORY_REGION;
static const unsigned long AERIE_KVM_ENABLE_CAP = KVM_ENABLE_CAP;
static const unsigned long AERIE_KVM_IOEVENTFD = KVM_IOEVENTFD;
static const unsigned long AERIE_KVM_IRQ_LINE = KVM_IRQ_LINE;
static const unsigned long AERIE_KVM_SIGNAL_MSI = KVM_SIGNAL_MSI;
static const unsigned long AERIE_KVM_GET_DEVICE_ATTR = KVM_GET_DEVICE_ATTR;
static const unsigned long AERIE_KVM_SET_DEVICE_ATTR = KVM_SET_DEVICE_ATTR;

// Flags of memory slots; Swift does not import shifts.
static const uint32_t AERIE_KVM_MEM_READONLY = KVM_MEM_READONLY;

// Offsets in struct kvm_run, which is shared with the kernel and read in place.
static const size_t AERIE_RUN_IMMEDIATE_EXIT = offsetof(struct kvm_run, immediate_exit);
static const size_t AERIE_RUN_EXIT_REASON = offsetof(struct kvm_run, exit_reason);
static const size_t AERIE_RUN_ENTRY_FAILURE = offsetof(struct kvm_run, fail_entry.hardware_entry_failure_reason);
static const size_t AERIE_RUN_MMIO_ADDRESS = offsetof(struct kvm_run, mmio.phys_addr);
static const size_t AERIE_RUN_MMIO_DATA = offsetof(struct kvm_run, mmio.data);
static const size_t AERIE_RUN_MMIO_LENGTH = offsetof(struct kvm_run, mmio.len);
static const size_t AERIE_RUN_MMIO_IS_WRITE = offsetof(struct kvm_run, mmio.is_write);
static const size_t AERIE_RUN_INTERNAL_SUBERROR = offsetof(struct kvm_run, internal.suberror);
static const size_t AERIE_RUN_INTERNAL_COUNT = offsetof(struct kvm_run, internal.ndata);
static const size_t AERIE_RUN_INTERNAL_DATA = offsetof(struct kvm_run, internal.data);

#if defined(__x86_64__)
static const size_t AERIE_RUN_IO_DIRECTION = offsetof(struct kvm_run, io.direction);
static const size_t AERIE_RUN_IO_SIZE = offsetof(struct kvm_run, io.size);
static const size_t AERIE_RUN_IO_PORT = offsetof(struct kvm_run, io.port);
static const size_t AERIE_RUN_IO_COUNT = offsetof(struct kvm_run, io.count);
static const size_t AERIE_RUN_IO_DATA_OFFSET = offsetof(struct kvm_run, io.data_offset);

// Offset of the redirection table; Swift does not import its union of bit fields.
static const size_t AERIE_IOAPIC_REDIRECTIONS = offsetof(struct kvm_ioapic_state, redirtbl);

// Requests of x86-64.
static const unsigned long AERIE_KVM_GET_SUPPORTED_CPUID = KVM_GET_SUPPORTED_CPUID;
static const unsigned long AERIE_KVM_GET_MSR_INDEX_LIST = KVM_GET_MSR_INDEX_LIST;
static const unsigned long AERIE_KVM_CREATE_IRQCHIP = KVM_CREATE_IRQCHIP;
static const unsigned long AERIE_KVM_GET_IRQCHIP = KVM_GET_IRQCHIP;
static const unsigned long AERIE_KVM_SET_IRQCHIP = KVM_SET_IRQCHIP;
static const unsigned long AERIE_KVM_CREATE_PIT2 = KVM_CREATE_PIT2;
static const unsigned long AERIE_KVM_GET_PIT2 = KVM_GET_PIT2;
static const unsigned long AERIE_KVM_SET_PIT2 = KVM_SET_PIT2;
static const unsigned long AERIE_KVM_GET_CLOCK = KVM_GET_CLOCK;
static const unsigned long AERIE_KVM_SET_CLOCK = KVM_SET_CLOCK;
static const unsigned long AERIE_KVM_KVMCLOCK_CTRL = KVM_KVMCLOCK_CTRL;
static const unsigned long AERIE_KVM_SET_TSS_ADDR = KVM_SET_TSS_ADDR;
static const unsigned long AERIE_KVM_SET_IDENTITY_MAP_ADDR = KVM_SET_IDENTITY_MAP_ADDR;
static const unsigned long AERIE_KVM_SET_CPUID2 = KVM_SET_CPUID2;
static const unsigned long AERIE_KVM_GET_REGS = KVM_GET_REGS;
static const unsigned long AERIE_KVM_SET_REGS = KVM_SET_REGS;
static const unsigned long AERIE_KVM_GET_SREGS = KVM_GET_SREGS;
static const unsigned long AERIE_KVM_SET_SREGS = KVM_SET_SREGS;
static const unsigned long AERIE_KVM_GET_XSAVE = KVM_GET_XSAVE;
static const unsigned long AERIE_KVM_SET_XSAVE = KVM_SET_XSAVE;
static const unsigned long AERIE_KVM_GET_XCRS = KVM_GET_XCRS;
static const unsigned long AERIE_KVM_SET_XCRS = KVM_SET_XCRS;
static const unsigned long AERIE_KVM_GET_DEBUGREGS = KVM_GET_DEBUGREGS;
static const unsigned long AERIE_KVM_SET_DEBUGREGS = KVM_SET_DEBUGREGS;
static const unsigned long AERIE_KVM_GET_VCPU_EVENTS = KVM_GET_VCPU_EVENTS;
static const unsigned long AERIE_KVM_SET_VCPU_EVENTS = KVM_SET_VCPU_EVENTS;
static const unsigned long AERIE_KVM_GET_MP_STATE = KVM_GET_MP_STATE;
static const unsigned long AERIE_KVM_SET_MP_STATE = KVM_SET_MP_STATE;
static const unsigned long AERIE_KVM_GET_LAPIC = KVM_GET_LAPIC;
static const unsigned long AERIE_KVM_SET_LAPIC = KVM_SET_LAPIC;
static const unsigned long AERIE_KVM_GET_MSRS = KVM_GET_MSRS;
static const unsigned long AERIE_KVM_SET_MSRS = KVM_SET_MSRS;
static const unsigned long AERIE_KVM_TRANSLATE = KVM_TRANSLATE;
#endif
