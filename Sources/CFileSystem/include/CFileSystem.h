// The system calls of a file server, which never follow a symbolic link: every name is one component below an open directory.
// Functions return -1 with errno set on failure unless they say otherwise.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// What statx(2) says about a file.
struct aerie_file_status {
    uint64_t device, inode, size, blocks;
    int64_t accessed, modified, changed, created; // seconds since 1970
    uint32_t accessedFraction, modifiedFraction, changedFraction, createdFraction; // nanoseconds
    uint32_t mode, links, owner, group;
    /// The device that a special file stands for, as makedev(3) puts it into 32 bits on the FUSE protocol's wire.
    uint32_t special;
    uint32_t blockSize;
};

/// What statfs(2) says about a file system.
struct aerie_volume_status {
    uint64_t blocks, freeBlocks, availableBlocks, files, freeFiles;
    uint32_t blockSize, nameLength, fragmentSize;
    /// The file system's magic number.
    uint64_t kind;
};

/// Describes `name` in `directory`; an empty name stands for the directory's own descriptor, of any kind.
int aerie_fs_status(int directory, const char *name, struct aerie_file_status *status);

/// Opens `name` in `directory` with O_PATH, without following a symbolic link. With `cachedOnly`, EAGAIN when the kernel would have
/// to ask the file system (openat2(2), RESOLVE_CACHED), or has no such call.
int aerie_fs_open_node(int directory, const char *name, int cachedOnly);

/// Opens the root of a share: a directory, whose path may have symbolic links.
int aerie_fs_open_root(const char *path);

/// Opens /proc/self/fd, below which descriptors can be opened again.
int aerie_fs_open_descriptors(void);

/// Opens the file of the descriptor `node` again, with flags of open(2). The caller has checked that it is a regular file. With
/// `immediate`, EAGAIN when another process has a lease on the file that it has to give up first.
int aerie_fs_reopen(int descriptors, int node, int flags, int immediate);

/// Opens a directory for reading its entries.
int aerie_fs_open_directory(int directory);

/// Creates and opens the regular file `name`, which must not exist.
int aerie_fs_create(int directory, const char *name, int flags, uint32_t mode);

/// Creates an unnamed file in a directory (O_TMPFILE).
int aerie_fs_create_unnamed(int directory, int flags, uint32_t mode);

int aerie_fs_make_directory(int directory, const char *name, uint32_t mode);
/// A fifo, a socket's name or an empty regular file; never a device.
int aerie_fs_make_node(int directory, const char *name, uint32_t mode);
int aerie_fs_make_symlink(const char *target, int directory, const char *name);
/// Gives the file of the descriptor `node`, which is not a symbolic link, another name.
int aerie_fs_link(int descriptors, int node, int directory, const char *name);
/// Gives the symbolic link `from` another name.
int aerie_fs_link_symlink(int fromDirectory, const char *from, int directory, const char *name);
int aerie_fs_unlink(int directory, const char *name, int isDirectory);
/// renameat2(2); `flags` 1 is RENAME_NOREPLACE, 2 RENAME_EXCHANGE.
int aerie_fs_rename(int fromDirectory, const char *from, int toDirectory, const char *to, unsigned flags);
/// The target of the symbolic link that `node` is; the number of bytes.
int64_t aerie_fs_read_symlink(int node, char *buffer, size_t size);

int aerie_fs_set_mode(int descriptors, int node, uint32_t mode);
/// UINT32_MAX leaves an owner or a group.
int aerie_fs_set_owner(int node, uint32_t owner, uint32_t group);

enum { AERIE_FS_TIME_KEEP, AERIE_FS_TIME_NOW, AERIE_FS_TIME_SET };
struct aerie_file_time {
    int kind;
    int64_t seconds;
    uint32_t fraction;
};
int aerie_fs_set_times(int node, struct aerie_file_time accessed, struct aerie_file_time modified);
int aerie_fs_truncate(int file, int64_t size);

/// Raw entries of getdents64(2); the number of bytes, 0 at the end.
int64_t aerie_fs_read_entries(int directory, void *buffer, size_t size);
/// Moves a directory's position to an offset that an entry named.
int aerie_fs_seek_entries(int directory, int64_t offset);

/// preadv2(2) and pwritev2(2). `vectors` are iovecs. With `immediate`, EAGAIN when it would have to wait.
int64_t aerie_fs_read(int file, const void *vectors, int count, int64_t offset, int immediate);
int64_t aerie_fs_write(int file, const void *vectors, int count, int64_t offset, int append);

int aerie_fs_sync(int file, int dataOnly);
int aerie_fs_sync_volume(int file);
int aerie_fs_allocate(int file, uint32_t mode, int64_t offset, int64_t length);
/// lseek(2) with SEEK_DATA (0) or SEEK_HOLE (1).
int64_t aerie_fs_seek(int file, int64_t offset, int hole);
int64_t aerie_fs_copy(int from, int64_t fromOffset, int to, int64_t toOffset, size_t length);
int aerie_fs_volume(int file, struct aerie_volume_status *status);

/// Extended attributes of the file of a descriptor that may be an O_PATH one, but not a symbolic link's.
int64_t aerie_fs_get_attribute(int node, const char *name, void *value, size_t size);
int64_t aerie_fs_list_attributes(int node, char *list, size_t size);
int aerie_fs_set_attribute(int node, const char *name, const void *value, size_t size, int flags);
int aerie_fs_remove_attribute(int node, const char *name);

/// Raises the soft limit on descriptors (RLIMIT_NOFILE) to the hard one; returns the limit.
uint64_t aerie_fs_raise_descriptor_limit(void);

/// The user and group on whose behalf this process accesses files.
uint32_t aerie_fs_user(void);
uint32_t aerie_fs_group(void);
