#define _GNU_SOURCE 1
#include "CScheduling.h"

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

int aerie_set_affinity(int thread, const int *processors, int count) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int index = 0; index < count; index++) {
        if (processors[index] < 0 || processors[index] >= CPU_SETSIZE) {
            errno = EINVAL;
            return -1;
        }
        CPU_SET(processors[index], &set);
    }
    return sched_setaffinity(thread, sizeof set, &set);
}

int aerie_affinity(int thread, int *processors, int room) {
    cpu_set_t set;
    int count = 0;
    if (sched_getaffinity(thread, sizeof set, &set) != 0) return -1;
    for (int processor = 0; processor < CPU_SETSIZE && count < room; processor++)
        if (CPU_ISSET(processor, &set)) processors[count++] = processor;
    return count;
}

int aerie_set_nice(int thread, int value) {
    return setpriority(PRIO_PROCESS, thread, value);
}

int aerie_nice(int thread) {
    errno = 0;
    int value = getpriority(PRIO_PROCESS, thread);
    return errno == 0 ? value : 20;
}

int64_t aerie_process_time(int process) {
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) != 0) return -1;
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}
