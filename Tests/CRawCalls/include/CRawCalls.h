// System calls as code in a process makes them that somebody has taken over: without the C library between.
#pragma once

#include <stdint.h>

/// The result of a system call, or the negated errno value.
long raw_call(long number, long a, long b, long c, long d, long e, long f);

/// socket(2) and connect(2) to a path of Unix; a name that begins with '@' is an abstract one. 0 or a negated errno value.
long raw_connect_unix(const char *name);

/// The same with TCP to a port of 127.0.0.1.
long raw_connect_tcp(int port);

/// A child of fork(2) without the C library, which ends at once. 0 or a negated errno value.
long raw_fork(void);

/// Starts threads that never end until the kernel refuses one or `most` are there; returns their number.
int raw_threads(int most);

/// Maps private memory in pieces of 16 MiB until the kernel refuses one or `most` are there; returns their number.
int raw_memory(int most);

/// Listening sockets for the two functions above. A descriptor, or -1.
int raw_listen_unix(const char *name);
int raw_listen_tcp(int *port);

/// A ring of io_uring with the restrictions of aerie_ring_create is to open a file: its result (-EACCES when the operation is forbidden),
/// or 1 where there is no ring. `prepare` makes the ring, and comes first.
void raw_ring_prepare(void);
long raw_ring_open(const char *path);
