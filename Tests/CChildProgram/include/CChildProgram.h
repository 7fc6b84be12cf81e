// Starts the programs that tests run: calls of the C library that Swift's module of it leaves out.
#ifndef CCHILDPROGRAM_H
#define CCHILDPROGRAM_H

#include <sys/types.h>

/// Starts a program in a process group of its own, with three open files; see posix_spawn(3).
///
/// `files` are its standard input, output and error, -1 for /dev/null. `environment` may be NULL for that of this process, `directory` for
/// the one where this process is. Returns 0 or an errno value.
int aerie_child_program(pid_t *process, const char *path, char *const *arguments, char *const *environment,
                        const char *directory, const int files[3]);

#endif
