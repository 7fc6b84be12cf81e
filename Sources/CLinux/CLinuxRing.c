#define _GNU_SOURCE 1
#include "CLinuxRing.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct aerie_ring {
    int descriptor;
    uint32_t entries;
    // The kernel moves the submission queue's head and the completion queue's tail; this thread moves the others.
    _Atomic uint32_t *submission_head, *submission_tail;
    uint32_t submission_mask;
    struct io_uring_sqe *submissions;
    _Atomic uint32_t *completion_head, *completion_tail;
    uint32_t completion_mask;
    struct io_uring_cqe *completions;
    void *rings;
    size_t rings_size, submissions_size;
};

// One mapping for both rings (Linux 5.4), no lost completions (5.5), iovecs free after submission (5.5), and plain reads and
// writes, which came with the last of these (5.6).
static const uint32_t needed =
    IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_RW_CUR_POS;

// What a ring does is hidden from filters of system calls, so that it is restricted to the operations below (Linux 5.10).
static const uint8_t codes[] = {
    IORING_OP_READ, IORING_OP_WRITE, IORING_OP_READV, IORING_OP_WRITEV, IORING_OP_FSYNC, IORING_OP_ASYNC_CANCEL,
};

static int restrict_and_enable(int descriptor) {
    struct io_uring_restriction restrictions[sizeof codes];
    memset(restrictions, 0, sizeof restrictions);
    for (unsigned i = 0; i < sizeof codes; i++) {
        restrictions[i].opcode = IORING_RESTRICTION_SQE_OP;
        restrictions[i].sqe_op = codes[i];
    }
    if (syscall(SYS_io_uring_register, descriptor, IORING_REGISTER_RESTRICTIONS, restrictions, sizeof codes) != 0) return -1;
    return (int)syscall(SYS_io_uring_register, descriptor, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

static int set_up(uint32_t entries, struct io_uring_params *parameters) {
    // Completions wait for the thread's next system call instead of interrupting it (Linux 5.19).
    static const uint32_t attempts[] = {IORING_SETUP_R_DISABLED | IORING_SETUP_COOP_TASKRUN, IORING_SETUP_R_DISABLED};
    for (int i = 0; i < 2; i++) {
        memset(parameters, 0, sizeof *parameters);
        parameters->flags = attempts[i];
        int descriptor = (int)syscall(SYS_io_uring_setup, entries, parameters);
        if (descriptor >= 0 || errno != EINVAL) return descriptor;
    }
    return -1;
}

struct aerie_ring *aerie_ring_create(uint32_t entries) {
    struct io_uring_params p;
    struct aerie_ring *ring = calloc(1, sizeof *ring);
    if (!ring) return NULL;
    ring->descriptor = set_up(entries, &p);
    if (ring->descriptor < 0) {
        free(ring);
        return NULL;
    }
    ring->rings = ring->submissions = MAP_FAILED;
    if (restrict_and_enable(ring->descriptor) != 0) {
        errno = ENOSYS;
        goto failed;
    }
    if ((p.features & needed) != needed) {
        errno = ENOSYS;
        goto failed;
    }
    size_t submissions_end = p.sq_off.array + p.sq_entries * sizeof(uint32_t);
    size_t completions_end = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
    ring->rings_size = submissions_end > completions_end ? submissions_end : completions_end;
    ring->submissions_size = p.sq_entries * sizeof(struct io_uring_sqe);
    ring->rings = mmap(
        NULL, ring->rings_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->descriptor,
        IORING_OFF_SQ_RING);
    ring->submissions = mmap(
        NULL, ring->submissions_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->descriptor,
        IORING_OFF_SQES);
    if (ring->rings == MAP_FAILED || ring->submissions == MAP_FAILED) goto failed;

    char *base = ring->rings;
    ring->entries = p.sq_entries;
    ring->submission_head = (_Atomic uint32_t *)(base + p.sq_off.head);
    ring->submission_tail = (_Atomic uint32_t *)(base + p.sq_off.tail);
    ring->submission_mask = *(uint32_t *)(base + p.sq_off.ring_mask);
    ring->completion_head = (_Atomic uint32_t *)(base + p.cq_off.head);
    ring->completion_tail = (_Atomic uint32_t *)(base + p.cq_off.tail);
    ring->completion_mask = *(uint32_t *)(base + p.cq_off.ring_mask);
    ring->completions = (struct io_uring_cqe *)(base + p.cq_off.cqes);
    // Entry n of the queue is always submission n.
    uint32_t *array = (uint32_t *)(base + p.sq_off.array);
    for (uint32_t i = 0; i < p.sq_entries; i++) array[i] = i;
    return ring;

failed:;
    int error = errno;
    aerie_ring_destroy(ring);
    errno = error;
    return NULL;
}

void aerie_ring_destroy(struct aerie_ring *ring) {
    if (ring->rings != MAP_FAILED) munmap(ring->rings, ring->rings_size);
    if (ring->submissions != MAP_FAILED) munmap(ring->submissions, ring->submissions_size);
    close(ring->descriptor);
    free(ring);
}

int aerie_ring_descriptor(const struct aerie_ring *ring) { return ring->descriptor; }

bool aerie_ring_prepare(
    struct aerie_ring *ring, int operation, int descriptor, uint64_t offset, const void *address, uint32_t length,
    uint64_t identifier) {
    uint32_t tail = atomic_load_explicit(ring->submission_tail, memory_order_relaxed);
    uint32_t head = atomic_load_explicit(ring->submission_head, memory_order_acquire);
    if (tail - head >= ring->entries) return false;
    struct io_uring_sqe *entry = &ring->submissions[tail & ring->submission_mask];
    memset(entry, 0, sizeof *entry);
    entry->opcode = codes[operation];
    entry->fd = descriptor;
    entry->user_data = identifier;
    switch (operation) {
    case AERIE_RING_CANCEL:
        entry->fd = -1;
        entry->addr = offset;
        break;
    case AERIE_RING_FDATASYNC: entry->fsync_flags = IORING_FSYNC_DATASYNC; break;
    default:
        entry->off = offset;
        entry->addr = (uintptr_t)address;
        entry->len = length;
    }
    atomic_store_explicit(ring->submission_tail, tail + 1, memory_order_release);
    return true;
}

int aerie_ring_submit(struct aerie_ring *ring) {
    uint32_t tail = atomic_load_explicit(ring->submission_tail, memory_order_relaxed);
    uint32_t waiting = tail - atomic_load_explicit(ring->submission_head, memory_order_acquire);
    if (waiting == 0) return 0;
    int taken;
    do {
        taken = (int)syscall(SYS_io_uring_enter, ring->descriptor, waiting, 0, 0, NULL, 0);
    } while (taken == -1 && errno == EINTR);
    return taken < 0 ? -1 : (int)(waiting - (uint32_t)taken);
}

uint32_t aerie_ring_collect(struct aerie_ring *ring, struct aerie_completion *completions, uint32_t limit) {
    uint32_t head = atomic_load_explicit(ring->completion_head, memory_order_relaxed);
    uint32_t tail = atomic_load_explicit(ring->completion_tail, memory_order_acquire);
    uint32_t count = 0;
    for (; head != tail && count < limit; head++, count++) {
        const struct io_uring_cqe *entry = &ring->completions[head & ring->completion_mask];
        completions[count].identifier = entry->user_data;
        completions[count].result = entry->res;
    }
    atomic_store_explicit(ring->completion_head, head, memory_order_release);
    return count;
}
