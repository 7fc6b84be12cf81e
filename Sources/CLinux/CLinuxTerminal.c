#define _GNU_SOURCE 1
#include "CLinuxTerminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

// Written by enter_raw before `wanted` is set, and only read after that.
static struct termios original, raw;
static int terminal_input, terminal_output;

static atomic_bool wanted;     // raw mode is to be taken up again after a stop
static atomic_bool active;     // the terminal is in raw mode now
static atomic_bool escapes;    // the guest's output had an escape character
enum { last_watched = 64 };
static atomic_int signal_pipes[last_watched + 1]; // where each signal writes to; 0 is nowhere, since 0 is standard input

// SIGSYS is the jail's, whose handler restores the terminal, too.
static const int crash_signals[] = {SIGSEGV, SIGABRT, SIGILL, SIGBUS, SIGFPE, SIGTRAP, SIGQUIT};
enum { crash_count = sizeof crash_signals / sizeof *crash_signals };
static struct sigaction previous[crash_count];

// Attributes reset; cursor shown; mouse reports, focus reports and bracketed paste off.
static const char undo[] = "\033[0m\033[?25h\033[?1000l\033[?1002l\033[?1003l\033[?1004l\033[?1006l\033[?2004l";

// A process in the background must not change a terminal that its shell has taken back.
static bool in_foreground(void) {
    pid_t group = tcgetpgrp(terminal_input);
    return group == -1 || group == getpgrp();
}

static void apply(const struct termios *mode) {
    // SIGTTOU would stop a process that changes the terminal while it loses the foreground.
    sigset_t block, before;
    sigemptyset(&block);
    sigaddset(&block, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &block, &before);
    while (tcsetattr(terminal_input, TCSANOW, mode) == -1 && errno == EINTR) {}
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void leave_raw(void) {
    int saved_errno = errno;
    if (atomic_exchange(&active, false) && in_foreground()) {
        // A terminal that nobody reads would keep the process waiting in write.
        struct pollfd entry = {.fd = terminal_output, .events = POLLOUT};
        if (atomic_load(&escapes) && poll(&entry, 1, 0) == 1) (void)!write(terminal_output, undo, sizeof undo - 1);
        apply(&original);
    }
    errno = saved_errno;
}

void aerie_terminal_restore(void) {
    atomic_store(&wanted, false);
    leave_raw();
}

// The signal stays blocked until this handler returns; then what was there before acts on it: a debugger's or the
// Swift runtime's handler, or the default action.
static void on_crash(int signal) {
    leave_raw();
    for (int i = 0; i < crash_count; i++) {
        if (crash_signals[i] == signal) sigaction(signal, &previous[i], NULL);
    }
    raise(signal);
}

static void enter_raw_again(void) {
    if (!atomic_load(&wanted) || !in_foreground()) return;
    apply(&raw);
    atomic_store(&active, true);
}

static void on_stop(int signal) {
    int saved_errno = errno;
    struct sigaction standard = {.sa_handler = SIG_DFL}, ours;
    sigset_t block, before;
    leave_raw();
    sigemptyset(&standard.sa_mask);
    sigaction(signal, &standard, &ours);
    sigemptyset(&block);
    sigaddset(&block, signal);
    raise(signal);
    pthread_sigmask(SIG_UNBLOCK, &block, &before); // the process stops here and goes on here
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    sigaction(signal, &ours, NULL);
    // Without a shell that could continue it, the process has not stopped, and no SIGCONT comes.
    enter_raw_again();
    errno = saved_errno;
}

static void write_signal(int signal) {
    int saved_errno = errno;
    unsigned char byte = (unsigned char)signal;
    int descriptor = atomic_load(&signal_pipes[signal]);
    // A full pipe has the same news in it already.
    if (descriptor != 0) (void)!write(descriptor, &byte, 1);
    errno = saved_errno;
}

static void on_continue(int signal) {
    int saved_errno = errno;
    // Also after SIGSTOP, which nobody can catch: the shell may have changed the terminal in the meantime.
    enter_raw_again();
    write_signal(SIGWINCH); // the window may have another size by now
    errno = saved_errno;
    (void)signal;
}

static int install(int signal, void (*handler)(int), struct sigaction *before) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    return sigaction(signal, &action, before);
}

int aerie_terminal_enter_raw(int input, int output) {
    static atomic_bool installed;
    if (tcgetattr(input, &original) == -1) return -1;
    terminal_input = input;
    terminal_output = output;
    raw = original;
    cfmakeraw(&raw);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (!atomic_exchange(&installed, true)) {
        atexit(aerie_terminal_restore);
        for (int i = 0; i < crash_count; i++) {
            if (install(crash_signals[i], on_crash, &previous[i]) == -1) return -1;
        }
        if (install(SIGTSTP, on_stop, NULL) == -1 || install(SIGCONT, on_continue, NULL) == -1) return -1;
    }
    atomic_store(&wanted, true);
    atomic_store(&active, true);
    if (tcsetattr(input, TCSANOW, &raw) == -1) {
        int saved_errno = errno;
        aerie_terminal_restore();
        errno = saved_errno;
        return -1;
    }
    return 0;
}

void aerie_terminal_saw_escape_sequence(void) {
    atomic_store_explicit(&escapes, true, memory_order_relaxed);
}

bool aerie_terminal_size(int descriptor, unsigned short *columns, unsigned short *rows) {
    struct winsize size;
    if (ioctl(descriptor, TIOCGWINSZ, &size) == -1 || size.ws_col == 0 || size.ws_row == 0) return false;
    *columns = size.ws_col;
    *rows = size.ws_row;
    return true;
}

static int pipe_ends[last_watched + 1][2];

int aerie_signal_pipe(int signal) {
    if (signal < 1 || signal > last_watched) {
        errno = EINVAL;
        return -1;
    }
    int *ends = pipe_ends[signal];
    if (ends[0] == 0 && pipe2(ends, O_CLOEXEC | O_NONBLOCK) == -1) return -1;
    return ends[0];
}

static struct sigaction unwatched[last_watched + 1];
static bool watched[last_watched + 1];

int aerie_signal_watch(int signal, int owner) {
    struct sigaction now;
    if (signal < 1 || signal > last_watched || sigaction(signal, NULL, &now) == -1) return -1;
    if (now.sa_handler == SIG_IGN || watched[signal]) return 0;
    atomic_store(&signal_pipes[signal], pipe_ends[owner][1]);
    if (install(signal, write_signal, &unwatched[signal]) == -1) return -1;
    watched[signal] = true;
    return 0;
}

void aerie_signal_unwatch(int signal) {
    if (signal < 1 || signal > last_watched || !watched[signal]) return;
    sigaction(signal, &unwatched[signal], NULL);
    atomic_store(&signal_pipes[signal], 0);
    watched[signal] = false;
}

int aerie_signal_unblock(int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    return pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void drop(int signal) { (void)signal; }

int aerie_signal_discard(int signal) { return install(signal, drop, NULL); }

void aerie_signal_defaults(void) {
    struct sigaction standard = {.sa_handler = SIG_DFL}, now;
    sigset_t none;
    sigemptyset(&standard.sa_mask);
    sigaction(SIGCHLD, &standard, NULL);
    // The Swift runtime's handler may be there already: it prints a report and lets the process go on.
    if (sigaction(SIGQUIT, NULL, &now) == 0 && now.sa_handler != SIG_IGN) sigaction(SIGQUIT, &standard, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int aerie_standard_descriptors(void) {
    for (int descriptor = 0; descriptor < 3; descriptor++) {
        if (fcntl(descriptor, F_GETFD) != -1) continue;
        // The lowest free number is the one that is missing.
        if (open("/dev/null", O_RDWR) != descriptor) return -1;
    }
    return 0;
}

int aerie_flush_standard_output(void) {
    int error = ferror(stdout) ? EIO : 0;
    if (fflush(stdout) != 0) error = errno;
    if (error == 0) return 0;
    // Reported once: neither exit(3) nor another call tries the same bytes again.
    __fpurge(stdout);
    clearerr(stdout);
    errno = error;
    return -1;
}

// KVM's kick is SIGRTMIN + 5.
static int interrupting_signal(void) { return SIGRTMIN + 6; }

int aerie_interrupt_prepare(void) {
    struct sigaction action = {.sa_handler = drop};
    sigemptyset(&action.sa_mask);
    // Without SA_RESTART: that the call ends is the purpose.
    return sigaction(interrupting_signal(), &action, NULL);
}

void aerie_interrupt_admit(void) { aerie_signal_unblock(interrupting_signal()); }

void aerie_interrupt(unsigned long thread) { pthread_kill((pthread_t)thread, interrupting_signal()); }
