// Shares of processors, in forms that Swift can import: affinity, nice values and processor time of other threads and processes.
#pragma once

#include <stdint.h>

/// sched_setaffinity(2): lets a thread (0: the caller) run on `count` processors only. -1 with errno set on failure; EINVAL when the host
/// has none of them.
int aerie_set_affinity(int thread, const int *processors, int count);

/// Stores the processors that a thread (0: the caller) may run on, at most `room`, and returns their number. -1 with errno set on failure.
int aerie_affinity(int thread, int *processors, int room);

/// setpriority(2) of a thread (0: the caller): -20 to 19. -1 with errno set on failure.
int aerie_set_nice(int thread, int value);

/// The nice value of a thread (0: the caller); 20 on failure.
int aerie_nice(int thread);

/// Nanoseconds of processor time that all threads of a process have had; -1 when there is no such process.
int64_t aerie_process_time(int process);
