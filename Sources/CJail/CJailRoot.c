#define _GNU_SOURCE 1
#include "CJail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

// Constants of mount_setattr(2), which came with Linux 5.12 and later C libraries.
enum { call_mount_setattr = 442, recursive = 0x8000 };
enum { attribute_read_only = 1, attribute_no_suid = 2, attribute_no_devices = 4, attribute_no_programs = 8 };

struct attributes {
    uint64_t set, clear, propagation, user_namespace;
};

int aerie_jail_separate_mounts(void) { return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL); }

int aerie_jail_mount_root(const char *directory) {
    return mount("aerie", directory, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,nr_inodes=1k,mode=755");
}

int aerie_jail_bind(const char *source, const char *target, bool isReadOnly) {
    if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) != 0) return -1;
    struct attributes wanted = {
        .set = attribute_no_suid | attribute_no_devices | attribute_no_programs | (isReadOnly ? attribute_read_only : 0),
    };
    if (syscall(call_mount_setattr, AT_FDCWD, target, recursive, &wanted, sizeof wanted) == 0) return 0;
    // The mount is what counts; older kernels leave its attributes as they are, and Landlock has the same rules.
    return errno == ENOSYS ? 0 : -1;
}

int aerie_jail_enter_root(const char *directory) {
    if (chdir(directory) != 0) return -1;
    // The former root lies over the new one for a moment (pivot_root(2), notes).
    if (syscall(SYS_pivot_root, ".", ".") != 0) return -1;
    if (umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) return -1;
    return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

int aerie_jail_unmount(const char *directory) { return umount2(directory, MNT_DETACH); }

int aerie_jail_make_path(const char *base, const char *path) {
    char full[4096];
    int start = snprintf(full, sizeof full, "%s", base);
    int length = snprintf(full, sizeof full, "%s%s", base, path);
    if (length < 0 || length >= (int)sizeof full) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (int i = start + 1; i <= length; i++) {
        if (full[i] != '/' && full[i] != 0) continue;
        char saved = full[i];
        full[i] = 0;
        if (mkdir(full, 0755) != 0 && errno != EEXIST) return -1;
        full[i] = saved;
    }
    return 0;
}

enum aerie_jail_kind aerie_jail_kind_of(int descriptor) {
    struct stat status;
    struct statfs volume;
    if (fstat(descriptor, &status) != 0) return AERIE_JAIL_OTHER;
    if (S_ISDIR(status.st_mode)) {
        if (fstatfs(descriptor, &volume) == 0 && volume.f_type == PROC_SUPER_MAGIC) return AERIE_JAIL_PROCESS_DIRECTORY;
        return AERIE_JAIL_DIRECTORY;
    }
    // Only files of memfd_create(2) have seals.
    if (S_ISREG(status.st_mode) && fcntl(descriptor, F_GET_SEALS) >= 0) return AERIE_JAIL_MEMORY_FILE;
    return AERIE_JAIL_OTHER;
}

int aerie_jail_identity(int descriptor, uint64_t identity[2]) {
    struct stat status;
    if (fstat(descriptor, &status) != 0) return -1;
    identity[0] = status.st_dev;
    identity[1] = status.st_ino;
    return 0;
}

int aerie_jail_open_directory(const char *path) { return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC); }

int aerie_jail_seal(int descriptor) {
    return fcntl(descriptor, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK);
}
