#define _GNU_SOURCE 1
#include "CKVM.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>

// A real-time signal has no predefined meaning, so other code in the process is unlikely to use it.
static int kick_signal(void) { return SIGRTMIN + 5; }

// The handler does nothing: the signal's arrival makes KVM_RUN return EINTR.
static void ignore(int signal) { (void)signal; }

int aerie_kvm_install_kick_handler(void) {
    struct sigaction action = {.sa_handler = ignore};
    sigemptyset(&action.sa_mask);
    // Without SA_RESTART, so that the interrupted call returns.
    return sigaction(kick_signal(), &action, NULL);
}

void aerie_kvm_kick(unsigned long thread) { pthread_kill((pthread_t)thread, kick_signal()); }

unsigned long aerie_kvm_accept_kicks(void) {
    sigset_t kicks;
    sigemptyset(&kicks);
    sigaddset(&kicks, kick_signal());
    pthread_sigmask(SIG_UNBLOCK, &kicks, NULL);
    return (unsigned long)pthread_self();
}

int aerie_kvm_run(int descriptor) { return ioctl(descriptor, KVM_RUN, 0) == -1 ? errno : 0; }

int aerie_kvm_ioctl_value(int descriptor, unsigned long request, unsigned long argument) {
    return ioctl(descriptor, request, argument);
}
