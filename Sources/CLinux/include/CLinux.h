// Linux calls and constants that Swift's Glibc overlay does not import: variadic functions and function-like macros.
#pragma once

#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/// memfd_create(2), close-on-exec and sealable; returns -1 with errno set on failure.
static inline int aerie_memfd_create(const char *name) {
    return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

/// ioctl(2) with a pointer argument.
static inline int aerie_ioctl_pointer(int descriptor, unsigned long request, void *argument) {
    return ioctl(descriptor, request, argument);
}

/// open(2) with a mode; always close-on-exec.
static inline int aerie_open(const char *path, int flags, mode_t mode) {
    return open(path, flags | O_CLOEXEC, mode);
}

/// Names the calling thread, for ps and perf; the kernel keeps 15 bytes.
static inline void aerie_name_thread(const char *name) {
    pthread_setname_np(pthread_self(), name);
}

/// eventfd(2), close-on-exec and non-blocking; returns -1 with errno set on failure.
static inline int aerie_eventfd(void) {
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}
