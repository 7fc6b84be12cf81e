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
