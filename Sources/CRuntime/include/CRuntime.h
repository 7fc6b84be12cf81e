// Processes, locks and directories for whoever manages machines, in forms that Swift can import.
#pragma once

#include <stdint.h>

/// Whether another open file description holds a lock for writing on the file, such as one of aerie_state_lock: 1 or 0; -1 with errno set on
/// failure.
int aerie_state_is_locked(int descriptor);

/// Opens a new file without a name in a directory (O_TMPFILE), close-on-exec; -1 with errno set where the file system has none.
int aerie_state_make_unnamed(const char *directory);

/// Gives an open file without a name one that nothing has (EEXIST); -1 with errno set on failure.
int aerie_state_name_file(int descriptor, const char *path);

/// Takes an exclusive open-file-description lock on the whole file. With `waits`, waits for other owners; otherwise fails with EAGAIN. The
/// lock lasts until the last duplicate of the description is closed, in whatever process.
int aerie_state_lock(int descriptor, int waits);

/// Waits until nobody holds an exclusive lock on the file, and holds none afterwards.
int aerie_state_wait_unlocked(int descriptor);

/// Removes a directory and everything in it, without following links and without leaving its file system. -1 with errno set on failure.
int aerie_remove_tree(const char *path);

/// Makes a new file `target` with the contents of a regular file: a clone where the file system can, otherwise a copy with its holes. -1 with
/// errno set on failure, with no file left.
int aerie_copy_file(const char *path, const char *target);

/// Gives a file the contents of another one of the same file system, whose blocks they share. -1 with errno set where the file system cannot.
int aerie_clone_file(int from, int to);

/// Makes sure that nobody changes a file's contents: seals a memory file, and refuses another one (EPERM) unless it is open for reading only.
/// -1 with errno set on failure, EBUSY where a process has mapped a memory file for writing.
int aerie_fix_contents(int descriptor);

/// Starts the program `path` in a session of its own, with default signal actions and an empty mask, in the directory `directory` if it
/// can be entered, with /dev/null as standard input and output, `standardError` as descriptor 2, `ready` as descriptor 3, and `extra`
/// descriptors (-1: none) as 4, `count` descriptors of `more` (at most 18) as 5 and up, and no others. Returns 0 or an errno value.
int aerie_spawn_machine(
    int *process, const char *path, char *const *arguments, const char *directory, int standardError, int ready,
    int extra, const int *more, int count);

/// Replaces this program by another one, whose descriptors are 0, 1, 2 and `extra` (-1: none) as 4. Returns only on failure, an errno value.
int aerie_become(const char *path, char *const *arguments, int extra);


/// Blocks signals and returns a signalfd(2) for them, close-on-exec; -1 with errno set on failure.
int aerie_signal_descriptor(const int *signals, int count);

/// Takes a signal from such a descriptor, which need not block. `code` receives si_code, `sender` the sender's process. Returns the signal, 0
/// when there is none, -1 with errno set on failure.
int aerie_take_signal(int descriptor, int *code, int *sender);

/// Unblocks all signals of the calling thread, and gives these their default actions.
void aerie_reset_signals(const int *signals, int count);

/// Remembers the settings of the terminal on standard input, if there is one, and puts them back when a crash ends this process. For the
/// process that outlives the one which changes them.
void aerie_terminal_guard(void);

/// Puts the remembered settings back, unless this process is in the background. Async-signal-safe.
void aerie_terminal_put_back(void);

/// Lets a blocked signal whose action is the default one act on this process, once.
void aerie_stop_by(int signal);

/// socketpair(2) of stream sockets, close-on-exec; -1 with errno set on failure.
int aerie_link_pair(int *ends);

/// Forks a process that ends with this one. It has default actions for all signals, and the descriptors 0 to 2 and `keep` only. Returns as
/// fork(2) does; -1 with errno set on failure. This process has one thread.
int aerie_fork_watcher(int keep);

/// pipe2(2), close-on-exec; -1 with errno set on failure.
int aerie_start_pipe(int *ends);

/// Where a user's files are, by the password database; NULL when that does not say. The result is valid until the next call.
const char *aerie_home_directory(void);

/// Ticks of a second in /proc/PID/stat.
long aerie_clock_ticks(void);
