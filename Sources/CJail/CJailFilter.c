#define _GNU_SOURCE 1
#include "CJail.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

_Static_assert(sizeof(struct aerie_filter_instruction) == sizeof(struct sock_filter), "the same layout");

const struct aerie_jail_requests aerie_jail_requests = {
    .terminalGet = TCGETS,
    .terminalSet = TCSETS,
    .terminalSize = TIOCGWINSZ,
    .terminalGroup = TIOCGPGRP,
    .tunOffload = TUNSETOFFLOAD,
    .tunQueue = TUNSETQUEUE,
    .kvmCreateMachine = KVM_CREATE_VM,
    .kvmCreateProcessor = KVM_CREATE_VCPU,
    .kvmCreateDevice = KVM_CREATE_DEVICE,
    .writeLogRegister = UFFDIO_REGISTER,
    .writeLogUnregister = UFFDIO_UNREGISTER,
    // PAGEMAP_SCAN, which the C library's headers may lack: its argument has 96 bytes.
    .writeLogScan = _IOC(_IOC_READ | _IOC_WRITE, 'f', 16, 96),
    .pageCopy = UFFDIO_COPY,
    .pageZero = UFFDIO_ZEROPAGE,
    .pageWake = UFFDIO_WAKE,
};

int aerie_filter_install(const struct aerie_filter_instruction *program, uint16_t count, bool forAllThreads) {
    struct sock_fprog filter = {.len = count, .filter = (struct sock_filter *)program};
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, forAllThreads ? SECCOMP_FILTER_FLAG_TSYNC : 0, &filter);
    // A positive result names a thread that stands in the way.
    if (result > 0) errno = EBUSY;
    return result == 0 ? 0 : -1;
}

static atomic_int report = -1;
static __thread uint32_t role;

void aerie_filter_set_role(uint32_t number) { role = number; }

// Runs with SIGSYS blocked, so that a forbidden call in here ends the process at once.
static void on_forbidden(int signal, siginfo_t *info, void *context) {
    struct aerie_jail_message message = {.kind = 4, .argument = (uint32_t)info->si_syscall, .result = role};
    (void)!write(atomic_load(&report), &message, sizeof message);
    // The filter kills a process that asks for this, which is how the process ends of SIGSYS.
    syscall(SYS_rt_sigaction, SIGSYS, NULL, NULL, 8);
    _exit(128 + SIGSYS);
    (void)signal, (void)context;
}

int aerie_filter_report_to(int broker) {
    atomic_store(&report, broker);
    struct sigaction action = {.sa_sigaction = on_forbidden, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    return sigaction(SIGSYS, &action, NULL);
}
