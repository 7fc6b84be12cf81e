#define _GNU_SOURCE 1
#include "CFileSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

// A descriptor's name in /proc/self/fd.
struct number {
    char text[24];
};

static struct number number_of(int descriptor) {
    struct number result;
    snprintf(result.text, sizeof result.text, "%d", descriptor);
    return result;
}

// The same from the root: calls on extended attributes take no directory.
struct path {
    char text[48];
};

static struct path path_of(int descriptor) {
    struct path result;
    snprintf(result.text, sizeof result.text, "/proc/self/fd/%d", descriptor);
    return result;
}

int aerie_fs_status(int directory, const char *name, struct aerie_file_status *status) {
    struct statx found;
    int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name == 0 ? AT_EMPTY_PATH : 0);
    if (statx(directory, name, flags, STATX_BASIC_STATS | STATX_BTIME, &found) != 0) return -1;
    *status = (struct aerie_file_status){
        .device = makedev(found.stx_dev_major, found.stx_dev_minor),
        .inode = found.stx_ino,
        .size = found.stx_size,
        .blocks = found.stx_blocks,
        .accessed = found.stx_atime.tv_sec,
        .modified = found.stx_mtime.tv_sec,
        .changed = found.stx_ctime.tv_sec,
        .accessedFraction = found.stx_atime.tv_nsec,
        .modifiedFraction = found.stx_mtime.tv_nsec,
        .changedFraction = found.stx_ctime.tv_nsec,
        .mode = found.stx_mode,
        .links = found.stx_nlink,
        .owner = found.stx_uid,
        .group = found.stx_gid,
        // The kernel's new_encode_dev.
        .special = (found.stx_rdev_minor & 0xFF) | found.stx_rdev_major << 8 | (found.stx_rdev_minor & ~0xFFU) << 12,
        .blockSize = found.stx_blksize,
    };
    if (found.stx_mask & STATX_BTIME) {
        status->created = found.stx_btime.tv_sec;
        status->createdFraction = found.stx_btime.tv_nsec;
    }
    return 0;
}

int aerie_fs_open_node(int directory, const char *name, int cachedOnly) {
    if (!cachedOnly) return openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_CACHED | RESOLVE_NO_XDEV};
    long result = syscall(SYS_openat2, directory, name, &how, sizeof how);
    // Kernels before 5.6 and 5.12, and filters of system calls that know no openat2.
    // Another file system, below which the caller may have to wait: EXDEV.
    if (result == -1 && (errno == ENOSYS || errno == EINVAL || errno == EPERM || errno == EXDEV)) errno = EAGAIN;
    return (int)result;
}

int aerie_fs_open_root(const char *path) {
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int aerie_fs_open_descriptors(void) {
    return open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int aerie_fs_reopen(int descriptors, int node, int flags, int immediate) {
    int how = (flags & ~(O_CREAT | O_NOFOLLOW)) | O_NOCTTY | O_CLOEXEC | (immediate ? O_NONBLOCK : 0);
    return openat(descriptors, number_of(node).text, how);
}

int aerie_fs_open_directory(int directory) {
    return openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int aerie_fs_create(int directory, const char *name, int flags, uint32_t mode) {
    return openat(directory, name, flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode);
}

int aerie_fs_create_unnamed(int directory, int flags, uint32_t mode) {
    // Without O_EXCL: the guest may give the file a name later.
    return openat(directory, ".", (flags & ~(O_CREAT | O_EXCL)) | O_TMPFILE | O_CLOEXEC, mode);
}

int aerie_fs_make_directory(int directory, const char *name, uint32_t mode) {
    return mkdirat(directory, name, mode);
}

int aerie_fs_make_node(int directory, const char *name, uint32_t mode) {
    if (!S_ISFIFO(mode) && !S_ISSOCK(mode) && !S_ISREG(mode)) {
        errno = EPERM;
        return -1;
    }
    return mknodat(directory, name, mode, 0);
}

int aerie_fs_make_symlink(const char *target, int directory, const char *name) {
    return symlinkat(target, directory, name);
}

int aerie_fs_link(int descriptors, int node, int directory, const char *name) {
    return linkat(descriptors, number_of(node).text, directory, name, AT_SYMLINK_FOLLOW);
}

int aerie_fs_link_symlink(int fromDirectory, const char *from, int directory, const char *name) {
    return linkat(fromDirectory, from, directory, name, 0);
}

int aerie_fs_unlink(int directory, const char *name, int isDirectory) {
    return unlinkat(directory, name, isDirectory ? AT_REMOVEDIR : 0);
}

int aerie_fs_rename(int fromDirectory, const char *from, int toDirectory, const char *to, unsigned flags) {
    // The plain call where no flag is given: some file systems know no other.
    if (flags == 0) return renameat(fromDirectory, from, toDirectory, to);
    return (int)syscall(SYS_renameat2, fromDirectory, from, toDirectory, to, flags);
}

int64_t aerie_fs_read_symlink(int node, char *buffer, size_t size) {
    return readlinkat(node, "", buffer, size);
}

int aerie_fs_set_mode(int descriptors, int node, uint32_t mode) {
    return fchmodat(descriptors, number_of(node).text, mode, 0);
}

int aerie_fs_set_owner(int node, uint32_t owner, uint32_t group) {
    return fchownat(node, "", owner, group, AT_EMPTY_PATH);
}

static struct timespec timespec_of(struct aerie_file_time time) {
    if (time.kind == AERIE_FS_TIME_KEEP) return (struct timespec){.tv_nsec = UTIME_OMIT};
    if (time.kind == AERIE_FS_TIME_NOW) return (struct timespec){.tv_nsec = UTIME_NOW};
    return (struct timespec){.tv_sec = time.seconds, .tv_nsec = time.fraction};
}

int aerie_fs_set_times(int node, struct aerie_file_time accessed, struct aerie_file_time modified) {
    if (accessed.fraction >= 1000000000 || modified.fraction >= 1000000000) {
        errno = EINVAL;
        return -1;
    }
    struct timespec times[2] = {timespec_of(accessed), timespec_of(modified)};
    return utimensat(node, "", times, AT_EMPTY_PATH);
}

int aerie_fs_truncate(int file, int64_t size) {
    return ftruncate(file, size);
}

int64_t aerie_fs_read_entries(int directory, void *buffer, size_t size) {
    return syscall(SYS_getdents64, directory, buffer, size);
}

int aerie_fs_seek_entries(int directory, int64_t offset) {
    return lseek(directory, offset, SEEK_SET) == -1 ? -1 : 0;
}

int64_t aerie_fs_read(int file, const void *vectors, int count, int64_t offset, int immediate) {
    int64_t result = preadv2(file, vectors, count, offset, immediate ? RWF_NOWAIT : 0);
    // File systems without the flag, and kernels without the call.
    if (result == -1 && immediate && (errno == EOPNOTSUPP || errno == ENOSYS)) errno = EAGAIN;
    return result;
}

int64_t aerie_fs_write(int file, const void *vectors, int count, int64_t offset, int append) {
    return pwritev2(file, vectors, count, offset, append ? RWF_APPEND : 0);
}

int aerie_fs_sync(int file, int dataOnly) {
    return dataOnly ? fdatasync(file) : fsync(file);
}

int aerie_fs_sync_volume(int file) {
    return syncfs(file);
}

int aerie_fs_allocate(int file, uint32_t mode, int64_t offset, int64_t length) {
    return fallocate(file, (int)mode, offset, length);
}

int64_t aerie_fs_seek(int file, int64_t offset, int hole) {
    return lseek(file, offset, hole ? SEEK_HOLE : SEEK_DATA);
}

int64_t aerie_fs_copy(int from, int64_t fromOffset, int to, int64_t toOffset, size_t length) {
    return copy_file_range(from, &fromOffset, to, &toOffset, length, 0);
}

int aerie_fs_volume(int file, struct aerie_volume_status *status) {
    struct statfs found;
    if (fstatfs(file, &found) != 0) return -1;
    *status = (struct aerie_volume_status){
        .blocks = found.f_blocks,
        .freeBlocks = found.f_bfree,
        .availableBlocks = found.f_bavail,
        .files = found.f_files,
        .freeFiles = found.f_ffree,
        .blockSize = found.f_bsize,
        .nameLength = found.f_namelen,
        .fragmentSize = found.f_frsize,
        .kind = (uint64_t)found.f_type,
    };
    return 0;
}

int64_t aerie_fs_get_attribute(int node, const char *name, void *value, size_t size) {
    return getxattr(path_of(node).text, name, value, size);
}

int64_t aerie_fs_list_attributes(int node, char *list, size_t size) {
    return listxattr(path_of(node).text, list, size);
}

int aerie_fs_set_attribute(int node, const char *name, const void *value, size_t size, int flags) {
    return setxattr(path_of(node).text, name, value, size, flags);
}

int aerie_fs_remove_attribute(int node, const char *name) {
    return removexattr(path_of(node).text, name);
}

uint64_t aerie_fs_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    }
    return limit.rlim_cur == RLIM_INFINITY ? 1 << 20 : limit.rlim_cur;
}

uint32_t aerie_fs_user(void) {
    return geteuid();
}

uint32_t aerie_fs_group(void) {
    return getegid();
}
