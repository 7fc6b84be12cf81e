#define _GNU_SOURCE 1
#include "CJail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

const uint64_t aerie_jail_user = CLONE_NEWUSER, aerie_jail_process = CLONE_NEWPID, aerie_jail_mount = CLONE_NEWNS,
               aerie_jail_network = CLONE_NEWNET, aerie_jail_ipc = CLONE_NEWIPC, aerie_jail_uts = CLONE_NEWUTS,
               aerie_jail_cgroup = CLONE_NEWCGROUP;
const int aerie_jail_no_directory = AT_FDCWD;

int aerie_jail_clone(uint64_t namespaces) {
    return (int)syscall(SYS_clone, namespaces | SIGCHLD, 0UL, 0UL, 0UL, 0UL);
}

int aerie_jail_fork(void) { return fork(); }

int aerie_jail_unshare(uint64_t namespaces) { return unshare((int)namespaces); }

int aerie_jail_set_death_signal(int signal) { return prctl(PR_SET_PDEATHSIG, (unsigned long)signal, 0, 0, 0); }

int aerie_jail_forbid_tracing(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

void aerie_jail_ignore_signals(void) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) signal(signals[i], SIG_IGN);
}

static sigset_t former_mask;

void aerie_jail_block_signals(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &former_mask);
}

void aerie_jail_unblock_signals(void) { sigprocmask(SIG_SETMASK, &former_mask, NULL); }

int aerie_jail_await(int process, int *status) {
    siginfo_t info;
    while (waitid(P_PID, (id_t)process, &info, WEXITED | WNOWAIT) != 0) {
        if (errno != EINTR) return -1;
    }
    // As waitpid(2) encodes it.
    *status = info.si_code == CLD_EXITED ? (info.si_status & 0xFF) << 8 : info.si_status & 0x7F;
    return 0;
}

static void close_range_of(unsigned first, unsigned last) {
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0) return;
    // Kernels before 5.9.
    long limit = sysconf(_SC_OPEN_MAX);
    if (limit < 0 || limit > 1 << 20) limit = 1 << 20;
    for (unsigned number = first; number <= last && number < (unsigned)limit; number++) close((int)number);
}

void aerie_jail_close_others(const int *kept, size_t count) {
    unsigned next = 3;
    for (size_t i = 0; i < count; i++) {
        if (kept[i] < (int)next) continue;
        if (kept[i] > (int)next) close_range_of(next, (unsigned)kept[i] - 1);
        next = (unsigned)kept[i] + 1;
    }
    close_range_of(next, ~0U);
}

int aerie_jail_write_file(int directory, const char *path, const char *text) {
    int file = openat(directory, path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return -1;
    size_t length = strlen(text);
    ssize_t written = write(file, text, length);
    int code = written == (ssize_t)length ? 0 : written < 0 ? errno : EIO;
    close(file);
    errno = code;
    return code == 0 ? 0 : -1;
}

int aerie_jail_read_file(const char *path, char *text, size_t size) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    size_t length = 0;
    ssize_t count = 1;
    while (length < size - 1 && (count = read(file, text + length, size - 1 - length)) > 0) length += (size_t)count;
    int code = errno;
    close(file);
    text[length] = 0;
    errno = code;
    return count < 0 ? -1 : 0;
}

static int count_entries(const char *path, int *numbers, int limit) {
    DIR *directory = opendir(path);
    if (!directory) return -1;
    int count = 0;
    struct dirent *entry;
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] == '.') continue;
        int number = atoi(entry->d_name);
        if (numbers && number == dirfd(directory)) continue;
        if (numbers && count < limit) numbers[count] = number;
        count++;
    }
    closedir(directory);
    return count;
}

int aerie_jail_thread_count(void) { return count_entries("/proc/self/task", NULL, 0); }

int aerie_jail_descriptors(int *numbers, int limit) { return count_entries("/proc/self/fd", numbers, limit); }

int aerie_jail_set_host_name(const char *name) {
    if (sethostname(name, strlen(name)) != 0) return -1;
    return setdomainname(name, strlen(name));
}

int aerie_jail_set_limits(uint64_t files, uint64_t threads, uint64_t memory) {
    struct rlimit none = {0, 0}, limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
    if (limit.rlim_cur > files) limit.rlim_cur = files;
    limit.rlim_max = limit.rlim_cur;
    if (setrlimit(RLIMIT_CORE, &none) != 0 || setrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
    limit = (struct rlimit){threads, threads};
    if (threads != 0 && setrlimit(RLIMIT_NPROC, &limit) != 0) return -1;
    limit = (struct rlimit){memory, memory};
    return memory == 0 ? 0 : setrlimit(RLIMIT_DATA, &limit);
}

static _Noreturn void write_maps(int process, const char *users, const char *groups, int go) {
    int kept[] = {process < go ? process : go, process < go ? go : process};
    aerie_jail_close_others(kept, 2);
    char byte;
    // The end instead of a byte: the namespace was refused, or the process has ended.
    if (read(go, &byte, 1) != 1) _exit(0);
    int failed = aerie_jail_write_file(process, "uid_map", users) != 0 || aerie_jail_write_file(process, "gid_map", groups) != 0;
    _exit(failed ? errno : 0);
}

int aerie_jail_start_mapper(const char *users, const char *groups, int *go) {
    int ends[2];
    int process = aerie_jail_open_directory("/proc/self");
    if (process < 0) return -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        close(process);
        return -1;
    }
    pid_t mapper = fork();
    if (mapper == 0) {
        close(ends[1]);
        write_maps(process, users, groups, ends[0]);
    }
    close(process);
    close(ends[0]);
    if (mapper > 0) {
        *go = ends[1];
    } else {
        close(ends[1]);
    }
    return mapper;
}

int aerie_jail_let_map(int go) { return send(go, "", 1, MSG_NOSIGNAL) == 1 ? 0 : -1; }

int aerie_jail_await_mapper(int mapper) {
    int status = 0;
    while (waitpid(mapper, &status, 0) == -1 && errno == EINTR) {}
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
    return errno ? -1 : 0;
}

bool aerie_jail_counts_processes(void) {
    struct utsname name;
    int major = 0, minor = 0;
    if (uname(&name) != 0 || sscanf(name.release, "%d.%d", &major, &minor) != 2) return false;
    return major > 6 || (major == 6 && minor >= 14);
}
