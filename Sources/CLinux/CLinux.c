// Functions that cannot be inline in the header; SwiftPM also requires a source file in a C target.
#include "CLinux.h"

#include <stdio.h>

#include <linux/magic.h>
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
