// Event notification of Linux for Swift: epoll(7), eventfd(2) and timerfd(2). Swift does not import the packed struct epoll_event.
#pragma once

#include <stdbool.h>
#include <stdint.h>

/// epoll_create1(2), close-on-exec; -1 with errno set on failure.
int aerie_epoll_create(void);

/// Adds (`isNew`) or changes the descriptor's interest in reading and writing; events carry `identifier`. Level-triggered, or
/// edge-triggered (`edges`). Errors and hang-ups are always reported. -1 with errno set on failure.
int aerie_epoll_set(
    int epoll, int descriptor, bool isNew, bool readable, bool writable, bool edges, uint64_t identifier);

/// Removes the descriptor.
int aerie_epoll_remove(int epoll, int descriptor);

/// One event of aerie_epoll_wait.
struct aerie_event {
    uint64_t identifier;
    /// 1 readable, 2 writable, 4 error or hang-up.
    uint32_t flags;
};

/// Waits without limit for at most `limit` (up to 64) events; returns their number, 0 after a signal, -1 with errno set on failure.
int aerie_epoll_wait(int epoll, struct aerie_event *events, int limit);

/// timerfd_create(2) on the monotonic clock, close-on-exec and non-blocking; -1 with errno set on failure.
int aerie_timerfd_create(void);

/// Arms the timer for an absolute time in nanoseconds of the monotonic clock; 0 disarms it.
int aerie_timerfd_set(int descriptor, uint64_t time);
