// TAP interfaces, and sockets of Unix for Ethernet frames.
#pragma once

#include <stddef.h>

/// Opens a TAP interface with the 12 bytes of virtio's header before each frame, creating it if there is none of that name; an empty
/// `name` lets the kernel choose. `name` has room for 16 bytes and receives the interface's. Non-blocking and close-on-exec. -1 with
/// errno set on failure, which is EINVAL for an interface that has several queues, or one, unlike `isMultiQueue`. Each further call for an
/// interface with several queues opens another queue.
int aerie_tap_open(char *name, int isMultiQueue);

/// Lets the kernel use a queue of an interface with several, or not; a queue is used from its opening on. -1 with errno set on failure.
int aerie_tap_attach(int descriptor, int isAttached);

/// The offloads that the reader of a TAP interface accepts, as bits: 1 partial checksums, 2 TCP over IPv4, 4 over IPv6, 8 with ECN.
int aerie_tap_set_offloads(int descriptor, unsigned offloads);

/// Sets an interface up; -1 with errno set on failure, which is EPERM without privileges.
int aerie_interface_set_up(const char *name);

/// The MTU of an interface in bytes; -1 with errno set on failure.
int aerie_interface_mtu(const char *name);

/// A datagram socket of Unix that is bound to `path`, non-blocking and close-on-exec, with a send buffer for large frames. -1 with errno
/// set on failure.
int aerie_datagram_socket(const char *path);

/// Sends `header` and `frame` as one datagram to the socket bound to `path`; -1 with errno set on failure.
long aerie_datagram_send(
    int descriptor, const char *path, const void *header, size_t headerLength, const void *frame, size_t frameLength);

/// Receives a datagram, and the path of the sender's socket, which has room for 108 bytes. A datagram that is longer than `length` is
/// cut off. -1 with errno set on failure.
long aerie_datagram_receive(int descriptor, void *buffer, size_t length, char *sender);

/// An inotify(7) instance that reports files that appear in a directory or vanish, non-blocking and close-on-exec. -1 with errno set on
/// failure.
int aerie_watch_directory(const char *path);

/// Whether a socket can be bound to a port of a numeric IPv4 or IPv6 address: 0, EINVAL for text that is no address, or the errno value
/// of the refusal.
int aerie_try_port(const char *address, int port, int isUDP);
