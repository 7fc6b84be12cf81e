// io_uring(7) over the raw system calls: file I/O that many requests share, submitted and collected by one thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

/// A ring with its mapped queues. Every call but `destroy` comes from the thread that first submits.
struct aerie_ring;

/// The operations; see io_uring_enter(2).
enum {
    AERIE_RING_READ,      // address, length
    AERIE_RING_WRITE,     // address, length
    AERIE_RING_READV,     // address of iovecs, their number
    AERIE_RING_WRITEV,    // address of iovecs, their number
    AERIE_RING_FDATASYNC, // neither
    AERIE_RING_CANCEL,    // the identifier of the operation to cancel is the offset
};

/// A finished operation.
struct aerie_completion {
    uint64_t identifier;
    /// What the operation's system call returns, or a negated errno value.
    int32_t result;
};

/// Creates a ring with room for `entries` prepared operations (a power of 2), and for twice as many finished ones; NULL with
/// errno set on failure. ENOSYS or EPERM where the kernel or a filter refuses io_uring, or the kernel's is too old.
struct aerie_ring *aerie_ring_create(uint32_t entries);

/// Unmaps and closes the ring. No operation may be in flight.
void aerie_ring_destroy(struct aerie_ring *ring);

/// A descriptor that is readable while finished operations wait.
int aerie_ring_descriptor(const struct aerie_ring *ring);

/// Prepares an operation; false if there is no room for it before the next submission. iovecs must stay in place until then,
/// and the memory that they name until the operation has finished.
bool aerie_ring_prepare(
    struct aerie_ring *ring, int operation, int descriptor, uint64_t offset, const void *address, uint32_t length,
    uint64_t identifier);

/// Hands the prepared operations to the kernel; returns how many are left, or -1 with errno set on failure.
int aerie_ring_submit(struct aerie_ring *ring);

/// Takes up to `limit` finished operations; returns their number.
uint32_t aerie_ring_collect(struct aerie_ring *ring, struct aerie_completion *completions, uint32_t limit);
