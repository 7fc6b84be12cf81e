// Linux calls that Swift does not import: variadic functions and function-like macros.
#pragma once

#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/// memfd_create(2), close-on-exec and sealable; returns -1 with errno set on failure.
static inline int aerie_memfd_create(const char *name) {
    return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

/// ioctl(2) with a pointer argument.
static inline int aerie_ioctl_pointer(int descriptor, unsigned long request, void *argument) {
    return ioctl(descriptor, request, argument);
}

/// open(2) with a mode; always close-on-exec.
static inline int aerie_open(const char *path, int flags, mode_t mode) {
    return open(path, flags | O_CLOEXEC, mode);
}

/// dup3(2): makes `number` refer to the open file of `descriptor`, close-on-exec, in one step.
static inline int aerie_replace_descriptor(int descriptor, int number) {
    return dup3(descriptor, number, O_CLOEXEC);
}

/// Sets the calling thread's name, which ps and perf show. The kernel keeps the first 15 bytes.
static inline void aerie_name_thread(const char *name) {
    prctl(PR_SET_NAME, name);
}

/// Takes an open-file-description lock on the whole file, exclusive or shared, without waiting. Returns -1 with EAGAIN when
/// another open file description holds a conflicting lock.
static inline int aerie_lock_file(int descriptor, int exclusive) {
    struct flock lock = {.l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};
    return fcntl(descriptor, F_OFD_SETLK, &lock);
}

/// Releases the lock of aerie_lock_file.
static inline int aerie_unlock_file(int descriptor) {
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    return fcntl(descriptor, F_OFD_SETLK, &lock);
}

/// fallocate(2): deallocates a range's blocks. The range reads as zeroes; the file keeps its size.
static inline int aerie_punch_hole(int descriptor, off_t offset, off_t count) {
    return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, count);
}

/// fallocate(2): zeroes a range and keeps its blocks allocated. The file keeps its size.
static inline int aerie_zero_range(int descriptor, off_t offset, off_t count) {
    return fallocate(descriptor, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, count);
}

/// Opens a new unnamed file in a directory (O_TMPFILE).
static inline int aerie_open_unnamed(const char *directory) {
    return open(directory, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
}

/// getrandom(2) without flags: blocks only until the kernel's generator is seeded at boot.
static inline ssize_t aerie_getrandom(void *buffer, size_t count) {
    // Declared here: with _GNU_SOURCE, sys/random.h defines fd_set in another way than Swift's Glibc sees it.
    extern ssize_t getrandom(void *buffer, size_t count, unsigned int flags);
    return getrandom(buffer, count, 0);
}

/// The kind of a descriptor's file: 1 for a regular file, 2 for a block device, 0 for others; -1 with errno set on failure. In
/// C because Swift imports struct stat, and with it timespec, from one module only.
static inline int aerie_file_kind(int descriptor) {
    struct stat status;
    if (fstat(descriptor, &status) != 0) return -1;
    return S_ISREG(status.st_mode) ? 1 : S_ISBLK(status.st_mode) ? 2 : 0;
}

/// The modification time of a file's contents, in nanoseconds since 1970; -1 with errno set on failure. Not inline, because
/// Swift would then import timespec from this module.
int64_t aerie_file_modified(int descriptor);

/// Stores what tells a file from all others: its device and its inode number, or the device that a block device's node stands
/// for and 0. `path` names the file; NULL stands for the file of `descriptor`. Returns -1 with errno set on failure.
int aerie_file_identity(const char *path, int descriptor, uint64_t identity[2]);

/// renameat2(2) with RENAME_NOREPLACE: fails with EEXIST when there is something at `to`.
int aerie_rename_new(const char *from, const char *to);

/// The bytes that the host has allocated for a file; -1 with errno set on failure.
int64_t aerie_file_allocated(int descriptor);

/// Whether a file lies in a tmpfs or a ramfs: 1 or 0; -1 with errno set on failure.
int aerie_is_in_memory(int descriptor);

/// eventfd(2), close-on-exec and non-blocking; returns -1 with errno set on failure.
static inline int aerie_eventfd(void) {
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

/// preadv2(2) with RWF_NOWAIT: reads what needs no waiting; -1 with EAGAIN when that is nothing, EOPNOTSUPP when the file cannot.
/// `vectors` are `count` of struct iovec.
int64_t aerie_read_at_once(int descriptor, const void *vectors, int count, int64_t offset);

/// pwritev2(2) with RWF_NOWAIT, as `aerie_read_at_once`.
int64_t aerie_write_at_once(int descriptor, const void *vectors, int count, int64_t offset);

/// lseek(2) SEEK_DATA: the first offset with data at or after `offset`; -1 with ENXIO when there is none.
static inline off_t aerie_seek_data(int descriptor, off_t offset) {
    return lseek(descriptor, offset, SEEK_DATA);
}

/// lseek(2) SEEK_HOLE: the first offset in a hole at or after `offset`; the end of the file counts as a hole.
static inline off_t aerie_seek_hole(int descriptor, off_t offset) {
    return lseek(descriptor, offset, SEEK_HOLE);
}

/// Kinds of a descriptor that bytes are read from.
typedef enum {
    /// A reader never waits: a regular file, a device that is no terminal.
    AERIE_INPUT_FILE,
    AERIE_INPUT_PIPE,
    AERIE_INPUT_SOCKET,
    /// Not the master side of a pseudo-terminal, whose second opening would be another terminal.
    AERIE_INPUT_TERMINAL,
} aerie_input_kind;

/// The kind of `descriptor`'s file.
aerie_input_kind aerie_kind_of_input(int descriptor);

/// read(2) that does not wait for a pipe or a socket: -1 with EAGAIN when it is empty. On kernels that cannot do so for pipes
/// (before Linux 6.4), it waits.
ssize_t aerie_read_input(int descriptor, aerie_input_kind kind, void *buffer, size_t count);

/// The most bytes that a file of this process may have (RLIMIT_FSIZE); UINT64_MAX without a limit.
uint64_t aerie_file_size_limit(void);

/// The host processor's extensions for the translator's back end, as bits: 1 BMI2, 2 FMA with AVX state enabled by the kernel,
/// 4 POPCNT, 8 LZCNT with BMI1 (Intel SDM, volume 2, CPUID). 0 on other architectures.
int aerie_host_features(void);

/// Whether the processor has the instructions that `aerie_crc32c` needs: SSE4.2 and PCLMULQDQ.
int aerie_has_crc32c(void);

/// The register of a CRC-32C (reflected, not inverted) after `count` more bytes. Only where `aerie_has_crc32c` says so.
uint32_t aerie_crc32c(uint32_t register_, const void *data, size_t count);

/// Maps `count` bytes of a shared mapping at `target`, too, where they take the place of what is mapped there, in one step for all threads
/// (mremap(2)). Returns -1 with errno set on failure, when nothing may be mapped at `target` any more.
int aerie_duplicate_mapping(void *address, size_t count, void *target);

/// The build ID of the program or library that has the byte at `address` (the ELF note NT_GNU_BUILD_ID): copies up to `count` bytes of it,
/// and returns how many there are; 0 when there is none.
size_t aerie_build_id(const void *address, uint8_t *buffer, size_t count);

/// Gives free memory of the C library's heaps back to the host (malloc_trim(3)).
static inline void aerie_trim_heap(void) { malloc_trim(0); }

/// Unmaps the pages of this program that only its file has, code and constants, until they are used again; they stay in the host's page cache.
void aerie_release_program(void);

/// Lets the C library have one heap for all threads (mallopt(3)). Before the second thread starts.
static inline void aerie_use_one_heap(void) { mallopt(M_ARENA_MAX, 1); }
