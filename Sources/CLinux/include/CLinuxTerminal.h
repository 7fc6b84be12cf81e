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

/// Makes a pipe that `aerie_signal_watch` writes to and returns its non-blocking read end; -1 with errno set on failure.
int aerie_signal_pipe(void);

/// From now on each arrival of `signal` writes its number as a byte into the pipe. A signal that the process was started
/// with ignored (nohup, a shell's background job) stays ignored.
int aerie_signal_watch(int signal);

/// Lets `signal` reach the calling thread, whatever mask it inherited.
int aerie_signal_unblock(int signal);

/// From now on `signal` is dropped here, but acts as by default in programs that this one starts.
int aerie_signal_discard(int signal);
