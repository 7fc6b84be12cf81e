// The kernel's log of written pages, and its reports of missing ones, in forms that Swift can import: userfaultfd(2), and the PAGEMAP_SCAN
// request of /proc/PID/pagemap (admin-guide/mm/userfaultfd and admin-guide/mm/pagemap of the kernel's documentation).
#pragma once

#include <stdint.h>

/// Consecutive written pages: addresses in this process, and bits that say nothing more.
struct aerie_written_pages {
    uint64_t start, end, categories;
};

/// A descriptor whose write protection the kernel takes away by itself at the first write to a page. -1 with errno set: EINVAL on
/// a kernel before Linux 6.7, EPERM where the host forbids it.
int aerie_write_log_open(void);

/// Lets the kernel log the writes to pages of this process from the next scan on; and ends that. -1 with errno set on failure.
int aerie_write_log_register(int log, uint64_t start, uint64_t size);
int aerie_write_log_unregister(int log, uint64_t start, uint64_t size);

/// Finds the pages that were written since they were found last, and watches them again.
///
/// `table` is a descriptor of /proc/self/pagemap. At most `room` ranges are stored; NULL for none and no limit. `next` becomes the address at
/// which the search has ended. The number of ranges, or -1 with errno set.
int64_t aerie_write_log_scan(
    int table, uint64_t start, uint64_t end, struct aerie_written_pages *ranges, uint64_t room, uint64_t *next);

/// A descriptor that reports accesses to missing pages of shared memory; such an access waits until somebody has filled the page.
/// `fromKernel` asks for accesses by the kernel on behalf of this process as well (system calls, KVM), which the host may forbid: EPERM.
/// -1 with errno set.
int aerie_page_faults_open(int fromKernel);

/// Begins to report accesses to missing pages of a range; `aerie_write_log_unregister` ends that, and lets all accesses go on. -1 with errno
/// set on failure.
int aerie_page_faults_register(int faults, uint64_t start, uint64_t size);

/// Takes the addresses of accesses that wait, without waiting. The number of addresses, at most `room`; -1 with errno set.
int aerie_page_faults_take(int faults, uint64_t *addresses, int room);

/// Fills missing pages, and lets accesses to them go on. Pages that are there keep their contents. `from` is NULL for zeroes. -1 with
/// errno set on failure.
int aerie_page_faults_fill(int faults, uint64_t start, uint64_t size, const void *from);
