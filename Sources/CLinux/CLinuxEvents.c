#include "CLinuxEvents.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

int aerie_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int aerie_epoll_set(
    int epoll, int descriptor, bool isNew, bool readable, bool writable, bool edges, uint64_t identifier) {
    struct epoll_event event = {
        .events = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0) | (edges ? EPOLLET : 0),
        .data.u64 = identifier,
    };
    return epoll_ctl(epoll, isNew ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, descriptor, &event);
}

int aerie_epoll_remove(int epoll, int descriptor) { return epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, 0); }

int aerie_epoll_wait(int epoll, struct aerie_event *events, int limit) {
    struct epoll_event found[64];
    if (limit > 64) limit = 64;
    int count = epoll_wait(epoll, found, limit, -1);
    if (count < 0) return errno == EINTR ? 0 : -1;
    for (int index = 0; index < count; index++) {
        uint32_t bits = found[index].events;
        events[index].identifier = found[index].data.u64;
        events[index].flags =
            (bits & EPOLLIN ? 1 : 0) | (bits & EPOLLOUT ? 2 : 0) | (bits & (EPOLLERR | EPOLLHUP) ? 4 : 0);
    }
    return count;
}

int aerie_timerfd_create(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK); }

int aerie_timerfd_set(int descriptor, uint64_t time) {
    struct itimerspec setting = {.it_value = {.tv_sec = time / 1000000000, .tv_nsec = time % 1000000000}};
    return timerfd_settime(descriptor, TFD_TIMER_ABSTIME, &setting, 0);
}
