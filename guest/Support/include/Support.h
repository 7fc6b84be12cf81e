// What the agent has in C and assembly: the call into the kernel, the heap, and the kernel's structures.
#ifndef AERIE_SUPPORT_H
#define AERIE_SUPPORT_H

#include <stddef.h>
#include <stdint.h>

/// A system call; the result is the kernel's, a negative errno included.
long aerie_call(long number, long a, long b, long c, long d, long e, long f);

/// Memory from the agent's heap; at least 16 bytes of alignment.
void *malloc(size_t size);
void free(void *memory);

/// Bytes that the heap may still get from the kernel.
size_t aerie_heap_available(void);
/// Sets the most bytes that the heap gets from the kernel.
void aerie_heap_limit(size_t bytes);
/// Gives back what nothing uses.
void aerie_heap_trim(void);

struct aerie_epoll_event {
    uint32_t events;
    uint64_t data;
}
#if defined(__x86_64__)
__attribute__((packed))
#endif
;

struct aerie_timespec {
    int64_t seconds;
    int64_t nanoseconds;
};

struct aerie_vsock_address {
    uint16_t family;
    uint16_t reserved;
    uint32_t port;
    uint32_t cid;
    uint8_t flags;
    uint8_t zero[3];
};

struct aerie_unix_address {
    uint16_t family;
    uint8_t path[108];
};

struct aerie_termios {
    uint32_t input;
    uint32_t output;
    uint32_t control;
    uint32_t local;
    uint8_t line;
    uint8_t characters[19];
};

struct aerie_window_size {
    uint16_t rows;
    uint16_t columns;
    uint16_t width;
    uint16_t height;
};

struct aerie_statx_time {
    int64_t seconds;
    uint32_t nanoseconds;
    int32_t reserved;
};

struct aerie_statx {
    uint32_t mask;
    uint32_t block_size;
    uint64_t attributes;
    uint32_t links;
    uint32_t owner;
    uint32_t group;
    uint16_t mode;
    uint16_t reserved;
    uint64_t inode;
    uint64_t size;
    uint64_t blocks;
    uint64_t attributes_mask;
    struct aerie_statx_time accessed;
    struct aerie_statx_time born;
    struct aerie_statx_time changed;
    struct aerie_statx_time modified;
    uint32_t node_major;
    uint32_t node_minor;
    uint32_t device_major;
    uint32_t device_minor;
    uint64_t spare[14];
};

struct aerie_open_how {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};

struct aerie_system_name {
    uint8_t system[65];
    uint8_t node[65];
    uint8_t release[65];
    uint8_t version[65];
    uint8_t machine[65];
    uint8_t domain[65];
};

#endif
