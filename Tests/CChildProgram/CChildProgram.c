#define _GNU_SOURCE
#include "CChildProgram.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

static int add_files(posix_spawn_file_actions_t *actions, const int files[3]) {
    // Copied out of the way first: one of the three may be the standard descriptor of another.
    int spare = 3;
    for (int index = 0; index < 3; index++)
        if (files[index] >= spare) spare = files[index] + 1;
    int code = 0;
    for (int index = 0; code == 0 && index < 3; index++)
        if (files[index] >= 0) code = posix_spawn_file_actions_adddup2(actions, files[index], spare + index);
    for (int index = 0; code == 0 && index < 3; index++)
        code = files[index] >= 0 ? posix_spawn_file_actions_adddup2(actions, spare + index, index)
                                 : posix_spawn_file_actions_addopen(actions, index, "/dev/null", O_RDWR, 0);
    return code != 0 ? code : posix_spawn_file_actions_addclosefrom_np(actions, 3);
}

int aerie_child_program(pid_t *process, const char *path, char *const *arguments, char *const *environment,
                        const char *directory, const int files[3]) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int code = posix_spawn_file_actions_init(&actions);
    if (code != 0) return code;
    code = add_files(&actions, files);
    if (code == 0 && directory) code = posix_spawn_file_actions_addchdir_np(&actions, directory);
    if (code == 0) code = posix_spawnattr_init(&attributes);
    if (code == 0) {
        // Threads of the dispatch library block signals, and a program would inherit that.
        sigset_t none;
        sigemptyset(&none);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
        code = posix_spawn(process, path, &actions, &attributes, arguments, environment ? environment : environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return code;
}
