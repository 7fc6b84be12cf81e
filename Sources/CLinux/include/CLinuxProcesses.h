// Starting a helper program, and sockets to it.
#pragma once


/// The number of the descriptor that a program of aerie_spawn_isolated finds its socket at.
enum { aerie_spawn_first_descriptor = 3 };

/// Starts the program `path` in a session of its own, with default signal actions and an empty mask, `socket` as descriptor 3,
/// standard error as given, /dev/null for standard input and output, no other descriptor, and an empty environment. Returns 0 or an errno value, like posix_spawn(3).
int aerie_spawn_isolated(
    int *process, const char *path, char *const *arguments, int socket, int standardError);

/// pipe2(2): close-on-exec and non-blocking at both ends; -1 with errno set on failure.
int aerie_pipe(int *ends);

/// socketpair(2) of Unix sockets, `type` 1 for a stream or 2 for datagrams, close-on-exec. The first end does not block; the second
/// one has a large send buffer. -1 with errno set on failure.
int aerie_socket_pair(int type, int *ends);
