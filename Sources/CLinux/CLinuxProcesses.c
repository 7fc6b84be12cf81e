#define _GNU_SOURCE 1
#include "CLinuxProcesses.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

static int actions(posix_spawn_file_actions_t *files, int socket, int standardError) {
    int code = posix_spawn_file_actions_init(files);
    if (code != 0) return code;
    code = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);
    if (code == 0) code = posix_spawn_file_actions_addopen(files, 1, "/dev/null", O_WRONLY, 0);
    // dup2 of a descriptor to itself clears close-on-exec in posix_spawn, which is what is wanted.
    if (code == 0) code = posix_spawn_file_actions_adddup2(files, standardError, 2);
    if (code == 0) code = posix_spawn_file_actions_adddup2(files, socket, aerie_spawn_first_descriptor);
    // Descriptors that whoever started this program left open are not the helper's.
    if (code == 0) code = posix_spawn_file_actions_addclosefrom_np(files, aerie_spawn_first_descriptor + 1);
    if (code != 0) posix_spawn_file_actions_destroy(files);
    return code;
}

int aerie_spawn_isolated(
    int *process, const char *path, char *const *arguments, int socket, int standardError) {
    posix_spawn_file_actions_t files;
    int code = actions(&files, socket, standardError);
    if (code != 0) return code;
    posix_spawnattr_t attributes;
    code = posix_spawnattr_init(&attributes);
    if (code == 0) {
        sigset_t set;
        sigemptyset(&set);
        posix_spawnattr_setsigmask(&attributes, &set);
        sigfillset(&set);
        posix_spawnattr_setsigdefault(&attributes, &set);
        posix_spawnattr_setflags(
            &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
        char *const environment[] = {NULL};
        code = posix_spawn(process, path, &files, &attributes, arguments, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&files);
    return code;
}

int aerie_pipe(int *ends) {
    return pipe2(ends, O_CLOEXEC | O_NONBLOCK);
}

int aerie_socket_pair(int type, int *ends) {
    int kind = (type == 1 ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC;
    if (socketpair(AF_UNIX, kind, 0, ends) != 0) return -1;
    // As much as this user may have: with privileges 8 MiB, otherwise what net.core.wmem_max allows.
    int size = 8 << 20;
    if (setsockopt(ends[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0) {
        setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
    int flags = fcntl(ends[0], F_GETFL);
    return flags == -1 ? -1 : fcntl(ends[0], F_SETFL, flags | O_NONBLOCK);
}
