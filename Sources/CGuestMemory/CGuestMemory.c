#define _GNU_SOURCE 1
#include "CGuestMemory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// Newer than the C library's headers may be.
enum {
    user_mode_only = 1,
    feature_unpopulated = 1 << 13,
    feature_asynchronous = 1 << 15,
    page_is_written = 1 << 1,
    scan_and_protect = 1 << 0,
    scan_checks_protection = 1 << 1,
};
/// USERFAULTFD_IOC_NEW of /dev/userfaultfd.
#define NEW_FAULTS _IO(0xAA, 0x00)

struct scan_request {
    uint64_t size, flags, start, end, walk_end, ranges, room, most, inverted, mask, any, returned;
};

_Static_assert(sizeof(struct scan_request) == 96, "the layout of struct pm_scan_arg");

int aerie_write_log_open(void) {
    int log = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | user_mode_only);
    if (log < 0) return -1;
    struct uffdio_api api = {
        .api = UFFD_API,
        .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM | feature_unpopulated
                    | feature_asynchronous,
    };
    if (ioctl(log, UFFDIO_API, &api) == 0) return log;
    int error = errno;
    close(log);
    errno = error;
    return -1;
}

int aerie_write_log_register(int log, uint64_t start, uint64_t size) {
    struct uffdio_register request = {.range = {.start = start, .len = size}, .mode = UFFDIO_REGISTER_MODE_WP};
    return ioctl(log, UFFDIO_REGISTER, &request);
}

int aerie_write_log_unregister(int log, uint64_t start, uint64_t size) {
    struct uffdio_range range = {.start = start, .len = size};
    return ioctl(log, UFFDIO_UNREGISTER, &range);
}

int64_t aerie_write_log_scan(
    int table, uint64_t start, uint64_t end, struct aerie_written_pages *ranges, uint64_t room, uint64_t *next) {
    struct scan_request request = {
        .size = sizeof request,
        .flags = scan_and_protect | scan_checks_protection,
        .start = start,
        .end = end,
        .ranges = (uint64_t)(uintptr_t)ranges,
        .room = ranges == NULL ? 0 : room,
        .mask = page_is_written,
        .returned = ranges == NULL ? 0 : page_is_written,
    };
    int found = ioctl(table, _IOWR('f', 16, struct scan_request), &request);
    *next = request.walk_end;
    return found;
}

static int open_faults(int fromKernel) {
    int flags = O_CLOEXEC | O_NONBLOCK;
    if (!fromKernel) return (int)syscall(SYS_userfaultfd, flags | user_mode_only);
    int faults = (int)syscall(SYS_userfaultfd, flags);
    if (faults >= 0 || errno != EPERM) return faults;
    // Whoever may open this file may have all faults.
    int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    if (device < 0) return errno = EPERM, -1;
    faults = ioctl(device, NEW_FAULTS, flags);
    int error = errno;
    close(device);
    errno = error;
    return faults;
}

int aerie_page_faults_open(int fromKernel) {
    int faults = open_faults(fromKernel);
    if (faults < 0) return -1;
    struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_MISSING_SHMEM};
    if (ioctl(faults, UFFDIO_API, &api) == 0) return faults;
    int error = errno;
    close(faults);
    errno = error;
    return -1;
}

int aerie_page_faults_register(int faults, uint64_t start, uint64_t size) {
    struct uffdio_register request = {.range = {.start = start, .len = size}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    return ioctl(faults, UFFDIO_REGISTER, &request);
}

int aerie_page_faults_take(int faults, uint64_t *addresses, int room) {
    struct uffd_msg messages[64];
    if (room > 64) room = 64;
    long count = read(faults, messages, (size_t)room * sizeof messages[0]);
    if (count < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
    int found = 0;
    for (long index = 0; index < count / (long)sizeof messages[0]; index++)
        if (messages[index].event == UFFD_EVENT_PAGEFAULT) addresses[found++] = messages[index].arg.pagefault.address;
    return found;
}

/// Fills the first pages that it can: their bytes, or -1 with errno set.
static int64_t fill_some(int faults, uint64_t start, uint64_t size, const void *from) {
    if (from == NULL) {
        struct uffdio_zeropage request = {.range = {.start = start, .len = size}};
        return ioctl(faults, UFFDIO_ZEROPAGE, &request) == 0 || request.zeropage > 0 ? request.zeropage : -1;
    }
    struct uffdio_copy request = {.dst = start, .src = (uint64_t)(uintptr_t)from, .len = size};
    return ioctl(faults, UFFDIO_COPY, &request) == 0 || request.copy > 0 ? request.copy : -1;
}

int aerie_page_faults_fill(int faults, uint64_t start, uint64_t size, const void *from) {
    const uint64_t page = 4096;
    for (uint64_t done = 0; done < size;) {
        int64_t count = fill_some(faults, start + done, size - done, from == NULL ? NULL : (const char *)from + done);
        if (count < 0 && errno == EAGAIN) continue;
        if (count < 0 && errno == EEXIST) {
            // Whoever waits for a page that is there has not seen it yet.
            struct uffdio_range range = {.start = start + done, .len = page};
            if (ioctl(faults, UFFDIO_WAKE, &range) != 0) return -1;
            count = (int64_t)page;
        }
        if (count < 0) return -1;
        done += (uint64_t)count;
    }
    return 0;
}
