// The parts of terminal and signal handling that must be async-signal-safe, and so cannot be Swift.
#pragma once

#include <stdbool.h>

/// Switches the terminal `input` to raw mode and remembers its settings, to be put back by `aerie_terminal_restore`: at
/// exit, before the process stops or crashes, or when called. `output` is where what the guest may have changed is undone.
/// One terminal for each process. Returns -1 with errno set on failure.
int aerie_terminal_enter_raw(int input, int output);

/// Puts the terminal back as it was; harmless when it is. Async-signal-safe.
void aerie_terminal_restore(void);

/// From now on `aerie_terminal_restore` also undoes colours, a hidden cursor, mouse reports and bracketed paste.
void aerie_terminal_saw_escape_sequence(void);

/// Columns and rows of a terminal; false when `descriptor` is none or does not know.
bool aerie_terminal_size(int descriptor, unsigned short *columns, unsigned short *rows);

/// The non-blocking read end of the pipe that `signal` owns in this process, which the first call makes and which stays open: a handler
/// may write to it at any time. -1 with errno set on failure.
int aerie_signal_pipe(int signal);

/// From now on each arrival of `signal` writes its number as a byte into the pipe of `owner`, a signal for which `aerie_signal_pipe` has made
/// one. A signal that the process was started with ignored (nohup, a shell's background job) stays ignored, and one that is watched
/// already goes where it went. -1 with errno set on failure.
int aerie_signal_watch(int signal, int owner);

/// Puts the signal's action back as it was before `aerie_signal_watch`.
void aerie_signal_unwatch(int signal);

/// Lets `signal` reach the calling thread, whatever mask it inherited.
int aerie_signal_unblock(int signal);

/// From now on `signal` is dropped here, but acts as by default in programs that this one starts.
int aerie_signal_discard(int signal);

/// Undoes what a process can inherit: an empty signal mask; the default action for SIGCHLD, which waitpid(2) needs, and for
/// SIGQUIT unless it is ignored. Call it first, before there are other threads.
void aerie_signal_defaults(void);

/// Opens those of descriptors 0, 1 and 2 that are closed on /dev/null, so that no file of the program gets their number. -1
/// with errno set on failure.
int aerie_standard_descriptors(void);

/// Writes out what stdio has buffered for standard output; -1 with errno set when this write failed or an earlier one did,
/// whose own error is not known any more (EIO).
int aerie_flush_standard_output(void);

/// Installs the handler of the signal that `aerie_interrupt` sends. It does nothing: a blocking call returns with EINTR. -1
/// with errno set on failure.
int aerie_interrupt_prepare(void);

/// Lets the interrupting signal reach the calling thread.
void aerie_interrupt_admit(void);

/// Interrupts a blocking call of a thread that has not been joined; `thread` is a pthread_t.
void aerie_interrupt(unsigned long thread);
