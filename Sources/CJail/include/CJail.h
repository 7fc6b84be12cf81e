// What a jail is made of, for Swift: namespaces, mounts, capabilities, Landlock, filters of system calls, and messages with descriptors.
// Functions return -1 with errno set on failure unless they say otherwise.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Namespaces, as bits (CLONE_NEW*).
extern const uint64_t aerie_jail_user, aerie_jail_process, aerie_jail_mount, aerie_jail_network, aerie_jail_ipc, aerie_jail_uts,
    aerie_jail_cgroup;

/// clone(2) without shared memory: a child in the new namespaces. The child must not start threads, because the C library's copy of its
/// identifier is the parent's; its own children, made by `aerie_jail_fork`, may.
int aerie_jail_clone(uint64_t namespaces);

/// fork(2), which Swift does not import.
int aerie_jail_fork(void);

int aerie_jail_unshare(uint64_t namespaces);

/// Starts a child that will write the maps of users and groups of this process's user namespace, with the caller's present privileges. Returns
/// the child's number, or -1 with errno set. The child ends with the descriptor `go`.
int aerie_jail_start_mapper(const char *users, const char *groups, int *go);

/// The process is in its user namespace: lets the child write the maps. Returns -1 with errno set on failure.
int aerie_jail_let_map(int go);

/// Waits for the child's end. Returns -1 with errno set when the maps are refused.
int aerie_jail_await_mapper(int mapper);

/// Whether process namespaces have limits of their own on the number of processes (Linux 6.14).
bool aerie_jail_counts_processes(void);

/// The signal that this process gets when the thread that started it ends.
int aerie_jail_set_death_signal(int signal);

/// Nobody without privileges may trace this process or read its memory.
int aerie_jail_forbid_tracing(void);

/// Ignores the signals by which a terminal or a user ends or stops a process.
void aerie_jail_ignore_signals(void);

/// Blocks all signals; the present mask is put back by `aerie_jail_unblock_signals`.
void aerie_jail_block_signals(void);
void aerie_jail_unblock_signals(void);

/// Waits for the end of a child and leaves it to be collected. Stores the status of waitpid(2).
int aerie_jail_await(int process, int *status);

/// Closes every descriptor from 3 on but those of the list, which is sorted.
void aerie_jail_close_others(const int *kept, size_t count);

/// Writes a short text to a file below `directory` (AT_FDCWD for none).
int aerie_jail_write_file(int directory, const char *path, const char *text);

/// Reads up to `size` - 1 bytes of a file into a string.
int aerie_jail_read_file(const char *path, char *text, size_t size);

/// The number of this process's threads.
int aerie_jail_thread_count(void);

/// AT_FDCWD of openat(2).
extern const int aerie_jail_no_directory;

/// The host name and the domain name.
int aerie_jail_set_host_name(const char *name);

// Mounts

/// No mount of this namespace reaches another one, or comes from there.
int aerie_jail_separate_mounts(void);

/// A small tmpfs on a directory.
int aerie_jail_mount_root(const char *directory);

/// Shows what is at `source` also at `target`, with what is mounted below it, without devices, programs and set-user-ID.
int aerie_jail_bind(const char *source, const char *target, bool isReadOnly);

/// Makes `directory`, which is a mount, the root of this process, read-only, and lets go of the former root.
int aerie_jail_enter_root(const char *directory);

/// umount2(2) with MNT_DETACH.
int aerie_jail_unmount(const char *directory);

/// Makes the directories of an absolute path below `base`; those that exist stay.
int aerie_jail_make_path(const char *base, const char *path);

// Descriptors

/// What a descriptor refers to.
enum aerie_jail_kind { AERIE_JAIL_OTHER, AERIE_JAIL_DIRECTORY, AERIE_JAIL_PROCESS_DIRECTORY, AERIE_JAIL_MEMORY_FILE };

/// Lists this process's descriptors, at most `limit` of them; returns how many there are.
int aerie_jail_descriptors(int *numbers, int limit);

enum aerie_jail_kind aerie_jail_kind_of(int descriptor);

/// The device and the inode number of a file.
int aerie_jail_identity(int descriptor, uint64_t identity[2]);

/// A descriptor of a directory for lookups only (O_PATH).
int aerie_jail_open_directory(const char *path);

/// The size of a memory file never changes again.
int aerie_jail_seal(int descriptor);

// Rights

/// Gives up every capability that is not in `kept`, a set of bits, for good. Fails when some cannot be given up.
int aerie_jail_drop_capabilities(uint64_t kept);

/// The capabilities in effect.
uint64_t aerie_jail_capabilities(void);

int aerie_jail_no_new_privileges(void);

/// RLIMIT_CORE 0; open files (to the present limit or `files`) and, unless 0, threads and bytes of private memory are limited for good.
int aerie_jail_set_limits(uint64_t files, uint64_t threads, uint64_t memory);

// Landlock (Documentation/userspace-api/landlock.rst)

/// The version of the interface; 0 where the kernel has none.
int aerie_landlock_version(void);
/// A set of rules that forbids the rights; returns its descriptor. `size` is the part of the structure that the version knows.
int aerie_landlock_create(uint64_t files, uint64_t network, uint64_t scopes, size_t size);
int aerie_landlock_allow(int rules, int directory, uint64_t rights);
int aerie_landlock_enforce(int rules);

// Filters of system calls (seccomp(2))

/// struct sock_filter.
struct aerie_filter_instruction {
    uint16_t code;
    uint8_t whenTrue, whenFalse;
    uint32_t operand;
};

/// Installs a filter for the calling thread, or for all threads of the process.
int aerie_filter_install(const struct aerie_filter_instruction *program, uint16_t count, bool forAllThreads);

/// From now on a call that a filter traps is reported as `struct aerie_jail_message` of kind 4 to `broker`, and the process dies of
/// SIGSYS. `role` says which thread's filter.
int aerie_filter_report_to(int broker);
void aerie_filter_set_role(uint32_t role);

// Messages between a monitor and its jailed process: one datagram each, over a pair of sockets of Unix.

struct aerie_jail_message {
    /// 1 hello, 2 start passt, 3 connect, 4 a forbidden system call.
    uint32_t kind;
    /// Of a request, repeated in its answer.
    uint32_t sequence;
    /// A card, a port, or the number of a system call.
    uint32_t argument;
    /// Of an answer: 0 or an errno value. Of a forbidden call: the thread's role.
    uint32_t result;
};

/// A pair of sockets whose ends are close-on-exec and keep the limits of messages. The first, the monitor's, receives the sender's
/// identifier.
int aerie_jail_socket_pair(int *ends);

/// Sends a message with up to two descriptors without waiting.
int aerie_jail_send(int socket, const struct aerie_jail_message *message, const int *descriptors, int count);

/// Receives a message without waiting: 1, 0 at the end of the connection, -1 with errno set (EAGAIN when there is none). Stores up to two
/// descriptors, -1 for none, and the sender's process, 0 where unknown. A message of another size fails with EBADMSG.
int aerie_jail_receive(int socket, struct aerie_jail_message *message, int descriptors[2], int *sender);

/// Waits without limit until one of two descriptors is readable or at its end: 1 for the first, 2 for the second, or their sum.
int aerie_jail_await_either(int first, int second);

/// Waits up to `milliseconds` (-1 without limit) until a descriptor is readable or at its end: 1, or 0 when time is over.
int aerie_jail_await_readable(int descriptor, int milliseconds);

/// Request numbers of ioctl(2), whose macros Swift does not import.
struct aerie_jail_requests {
    uint32_t terminalGet, terminalSet, terminalSize, terminalGroup, tunOffload, tunQueue;
    uint32_t kvmCreateMachine, kvmCreateProcessor, kvmCreateDevice;
    uint32_t writeLogRegister, writeLogUnregister, writeLogScan;
    uint32_t pageCopy, pageZero, pageWake;
};
extern const struct aerie_jail_requests aerie_jail_requests;
