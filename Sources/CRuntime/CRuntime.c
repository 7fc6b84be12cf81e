#define _GNU_SOURCE 1
#include "CRuntime.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/fs.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;

int aerie_state_is_locked(int descriptor) {
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    if (fcntl(descriptor, F_OFD_GETLK, &lock) != 0) return -1;
    return lock.l_type != F_UNLCK;
}

int aerie_state_make_unnamed(const char *directory) {
    return open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

int aerie_state_name_file(int descriptor, const char *path) {
    char name[32];
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    return linkat(AT_FDCWD, name, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

static int lock_file(int descriptor, int type, int command) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
    int result;
    do {
        result = fcntl(descriptor, command, &lock);
    } while (result != 0 && errno == EINTR);
    return result;
}

int aerie_state_lock(int descriptor, int waits) {
    return lock_file(descriptor, F_WRLCK, waits ? F_OFD_SETLKW : F_OFD_SETLK);
}

int aerie_state_wait_unlocked(int descriptor) {
    if (lock_file(descriptor, F_RDLCK, F_OFD_SETLKW) != 0) return -1;
    return lock_file(descriptor, F_UNLCK, F_OFD_SETLK);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status, (void)place;
    return kind == FTW_DP ? rmdir(path) : unlink(path);
}

int aerie_remove_tree(const char *path) {
    return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static int copy_data(int from, int to, off_t start, off_t end) {
    while (start < end) {
        off_t source = start, target = start;
        ssize_t count = copy_file_range(from, &source, to, &target, (size_t)(end - start), 0);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS)) {
            static char buffer[1 << 16];
            size_t wanted = (size_t)(end - start) < sizeof buffer ? (size_t)(end - start) : sizeof buffer;
            count = pread(from, buffer, wanted, start);
            if (count > 0) count = pwrite(to, buffer, (size_t)count, start);
        }
        if (count < 0) return -1;
        // The file became shorter meanwhile.
        if (count == 0) return errno = EIO, -1;
        start += count;
    }
    return 0;
}

int aerie_clone_file(int from, int to) { return ioctl(to, FICLONE, from); }

static int copy_contents(int from, int to) {
    if (aerie_clone_file(from, to) == 0) return 0;
    struct stat status;
    if (fstat(from, &status) != 0 || ftruncate(to, status.st_size) != 0) return -1;
    off_t end = 0;
    while (end < status.st_size) {
        off_t start = lseek(from, end, SEEK_DATA);
        if (start < 0) return errno == ENXIO ? 0 : -1;
        end = lseek(from, start, SEEK_HOLE);
        if (end < 0 || copy_data(from, to, start, end) != 0) return -1;
    }
    return 0;
}

int aerie_copy_file(const char *path, const char *target) {
    int from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (from < 0) return -1;
    int to = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int result = to < 0 ? -1 : copy_contents(from, to), code = errno;
    close(from);
    if (to >= 0) close(to);
    if (result != 0 && to >= 0) unlink(target);
    errno = code;
    return result;
}

static int close_on_exec_from(int first) {
    return close_range(first, ~0u, CLOSE_RANGE_CLOEXEC);
}

int aerie_fix_contents(int descriptor) {
    int wanted = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;
    int seals = fcntl(descriptor, F_GET_SEALS);
    if (seals >= 0) return (seals & wanted) == wanted ? 0 : fcntl(descriptor, F_ADD_SEALS, wanted | F_SEAL_SEAL);
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0) return -1;
    if ((flags & O_ACCMODE) == O_RDONLY) return 0;
    errno = EPERM;
    return -1;
}

enum { most_more = 18 };

// A descriptor that no later dup2 of the child overwrites.
static int moved(int descriptor) {
    return descriptor < 0 ? -1 : fcntl(descriptor, F_DUPFD_CLOEXEC, 5 + most_more);
}

/// The descriptors 4 and up of a machine: `lease` is 4, and `more` is 5 and up.
static int add_descriptors(posix_spawn_file_actions_t *files, int lease, const int *more, int count) {
    int code = lease >= 0 ? posix_spawn_file_actions_adddup2(files, lease, 4) : 0;
    for (int index = 0; code == 0 && index < count; index++)
        code = posix_spawn_file_actions_adddup2(files, more[index], 5 + index);
    // The number of a lease that is not there: nothing fails when it is closed already.
    if (code == 0 && lease < 0) code = posix_spawn_file_actions_addclose(files, 4);
    return code != 0 ? code : posix_spawn_file_actions_addclosefrom_np(files, 5 + count);
}

// The environment with GLIBC_TUNABLES that turn the C library's caches of free memory for each thread off: malloc_trim(3) does not
// empty them, and each of their pieces keeps a page of an idle machine. Settings of the user's own come later and count. NULL when there
// is no memory.
static char **machine_environment(void) {
    static const char name[] = "GLIBC_TUNABLES=", tunable[] = "glibc.malloc.tcache_count=0";
    size_t count = 0, found;
    while (environ != NULL && environ[count] != NULL) count++;
    for (found = 0; found < count && strncmp(environ[found], name, sizeof name - 1) != 0;) found++;
    const char *own = found < count ? environ[found] + sizeof name - 1 : "";
    // Pointers, and behind them the new text.
    size_t table = (count + 2) * sizeof(char *);
    char **copy = malloc(table + sizeof name + sizeof tunable + strlen(own) + 1);
    if (copy == NULL) return NULL;
    char *text = (char *)copy + table;
    char *end = stpcpy(stpcpy(text, name), tunable);
    if (*own != 0) stpcpy(stpcpy(end, ":"), own);
    for (size_t index = 0; index < count; index++) copy[index] = environ[index];
    copy[found] = text;
    copy[found < count ? count : count + 1] = NULL;
    return copy;
}

int aerie_spawn_machine(
    int *process, const char *path, char *const *arguments, const char *directory, int standardError, int ready,
    int extra, const int *more, int count) {
    if (count < 0 || count > most_more) return EINVAL;
    int error = moved(standardError), pipe = moved(ready), lease = moved(extra), others[most_more];
    for (int index = 0; index < count; index++) others[index] = moved(more[index]);
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int code = error < 0 || pipe < 0 ? errno : posix_spawn_file_actions_init(&files);
    char **environment = machine_environment();
    if (code == 0) {
        struct stat status;
        // A directory that is gone is not an obstacle for who names no file in it.
        if (stat(directory, &status) == 0 && access(directory, X_OK) == 0)
            code = posix_spawn_file_actions_addchdir_np(&files, directory);
        if (code == 0) code = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
        if (code == 0) code = posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
        if (code == 0) code = posix_spawn_file_actions_adddup2(&files, error, 2);
        if (code == 0) code = posix_spawn_file_actions_adddup2(&files, pipe, 3);
        if (code == 0) code = add_descriptors(&files, lease, others, count);
        if (code == 0) code = posix_spawnattr_init(&attributes);
        if (code == 0) {
            sigset_t set;
            sigemptyset(&set);
            posix_spawnattr_setsigmask(&attributes, &set);
            sigfillset(&set);
            posix_spawnattr_setsigdefault(&attributes, &set);
            posix_spawnattr_setflags(
                &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
            code = posix_spawn(process, path, &files, &attributes, arguments, environment != NULL ? environment : environ);
            posix_spawnattr_destroy(&attributes);
        }
        posix_spawn_file_actions_destroy(&files);
    }
    free(environment);
    if (error >= 0) close(error);
    if (pipe >= 0) close(pipe);
    if (lease >= 0) close(lease);
    for (int index = 0; index < count; index++) close(others[index]);
    return code;
}

int aerie_become(const char *path, char *const *arguments, int extra) {
    int lease = moved(extra);
    close_on_exec_from(3);
    if (lease >= 0 && dup2(lease, 4) < 0) return errno;
    char **environment = machine_environment();
    execve(path, arguments, environment != NULL ? environment : environ);
    int code = errno;
    free(environment);
    return code;
}

static sigset_t set_of(const int *signals, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int index = 0; index < count; index++) sigaddset(&set, signals[index]);
    return set;
}

int aerie_signal_descriptor(const int *signals, int count) {
    sigset_t set = set_of(signals, count);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int aerie_take_signal(int descriptor, int *code, int *sender) {
    struct signalfd_siginfo information;
    ssize_t count = read(descriptor, &information, sizeof information);
    if (count < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
    *code = information.ssi_code;
    *sender = (int)information.ssi_pid;
    return (int)information.ssi_signo;
}

void aerie_reset_signals(const int *signals, int count) {
    sigset_t set;
    for (int index = 0; index < count; index++) signal(signals[index], SIG_DFL);
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
}

static struct termios remembered;
static volatile sig_atomic_t is_guarded;

void aerie_terminal_put_back(void) {
    if (!is_guarded || tcgetpgrp(STDIN_FILENO) != getpgrp()) return;
    while (tcsetattr(STDIN_FILENO, TCSANOW, &remembered) == -1 && errno == EINTR) {}
}

static void crash(int number) {
    aerie_terminal_put_back();
    signal(number, SIG_DFL);
    raise(number);
}

void aerie_terminal_guard(void) {
    static const int crashes[] = {SIGSEGV, SIGABRT, SIGILL, SIGBUS, SIGFPE, SIGTRAP, SIGQUIT};
    if (tcgetattr(STDIN_FILENO, &remembered) != 0) return;
    is_guarded = 1;
    for (size_t index = 0; index < sizeof crashes / sizeof *crashes; index++) {
        struct sigaction old, action = {.sa_handler = crash};
        // What is ignored stays ignored.
        if (sigaction(crashes[index], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(crashes[index], &action, NULL);
    }
}

void aerie_stop_by(int number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

int aerie_link_pair(int *ends) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
}

int aerie_fork_watcher(int keep) {
    pid_t parent = getpid(), child = fork();
    if (child != 0) return child;
    // The parent may have ended already.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _exit(1);
    for (int signal = 1; signal < NSIG; signal++) {
        struct sigaction action = {.sa_handler = SIG_DFL};
        (void)sigaction(signal, &action, NULL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (keep > 3) close_range(3, (unsigned)keep - 1, 0);
    close_range((unsigned)keep + 1, ~0u, 0);
    return 0;
}

int aerie_start_pipe(int *ends) {
    return pipe2(ends, O_CLOEXEC);
}

const char *aerie_home_directory(void) {
    struct passwd *entry = getpwuid(getuid());
    return entry ? entry->pw_dir : NULL;
}

long aerie_clock_ticks(void) {
    return sysconf(_SC_CLK_TCK);
}
