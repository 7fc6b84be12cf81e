// Functions that cannot be inline in the header; SwiftPM also requires a source file in a C target.
#include "CLinux.h"

#include <stdio.h>

#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>

int64_t aerie_file_modified(int descriptor) {
    struct stat status;
    if (fstat(descriptor, &status) != 0) return -1;
    return (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
}

int aerie_is_in_memory(int descriptor) {
    struct statfs status;
    if (fstatfs(descriptor, &status) != 0) return -1;
    return status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC;
}

aerie_input_kind aerie_kind_of_input(int descriptor) {
    struct stat status;
    if (fstat(descriptor, &status) != 0) return AERIE_INPUT_FILE;
    if (S_ISFIFO(status.st_mode)) return AERIE_INPUT_PIPE;
    if (S_ISSOCK(status.st_mode)) return AERIE_INPUT_SOCKET;
    // 5:2 is /dev/ptmx.
    return isatty(descriptor) && status.st_rdev != makedev(5, 2) ? AERIE_INPUT_TERMINAL : AERIE_INPUT_FILE;
}

ssize_t aerie_read_input(int descriptor, aerie_input_kind kind, void *buffer, size_t count) {
    if (kind == AERIE_INPUT_SOCKET) return recv(descriptor, buffer, count, MSG_DONTWAIT);
    if (kind == AERIE_INPUT_PIPE) {
        struct iovec part = {.iov_base = buffer, .iov_len = count};
        ssize_t result = preadv2(descriptor, &part, 1, -1, RWF_NOWAIT);
        if (result != -1 || errno != EOPNOTSUPP) return result;
    }
    return read(descriptor, buffer, count);
}

uint64_t aerie_file_size_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
    return limit.rlim_cur;
}

int aerie_file_identity(const char *path, int descriptor, uint64_t identity[2]) {
    struct stat status;
    if ((path ? stat(path, &status) : fstat(descriptor, &status)) != 0) return -1;
    identity[0] = S_ISBLK(status.st_mode) ? status.st_rdev : status.st_dev;
    identity[1] = S_ISBLK(status.st_mode) ? 0 : status.st_ino;
    return 0;
}

int aerie_rename_new(const char *from, const char *to) {
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

int64_t aerie_file_allocated(int descriptor) {
    struct stat status;
    if (fstat(descriptor, &status) != 0) return -1;
    return (int64_t)status.st_blocks * 512;
}

int64_t aerie_read_at_once(int descriptor, const void *vectors, int count, int64_t offset) {
    return preadv2(descriptor, vectors, count, offset, RWF_NOWAIT);
}

int64_t aerie_write_at_once(int descriptor, const void *vectors, int count, int64_t offset) {
    return pwritev2(descriptor, vectors, count, offset, RWF_NOWAIT);
}
