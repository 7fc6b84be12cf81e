// Stream sockets of Unix, and of TCP over the loopback interface, whose calls have no form that Swift can import.
#pragma once

/// A listening stream socket bound to `path`, whose file only the user can open. Non-blocking and close-on-exec. -1 with errno set on
/// failure.
int aerie_stream_listen(const char *path);

/// The next connection of a listening socket, non-blocking and close-on-exec. -1 with errno set on failure, which is EAGAIN when none
/// waits.
int aerie_stream_accept(int listener);

/// A stream socket connected to the one that listens at `path`, non-blocking and close-on-exec. It never waits: a listener whose queue is
/// full is EAGAIN. -1 with errno set on failure.
int aerie_stream_connect(const char *path);

/// The most descriptors that go with some bytes: all files of a machine's memory, their map, and the code.
enum { aerie_stream_most_descriptors = 18 };

/// Sends bytes with descriptors, which arrive with the first of the bytes. Returns how many bytes were sent; -1 with errno set on failure.
long aerie_stream_send(int descriptor, const void *bytes, unsigned long count, const int *descriptors, int descriptorCount);

/// Receives bytes, and descriptors that came with them, close-on-exec. `descriptors` has room for the most, and receives `*descriptorCount`.
/// More are closed. Returns how many bytes have come, 0 at the end; -1 with errno set on failure.
long aerie_stream_receive(int descriptor, void *bytes, unsigned long count, int *descriptors, int *descriptorCount);

/// Whether the other end of a connection has ended both directions.
int aerie_stream_is_hung_up(int descriptor);

/// The same over TCP, at a port of 127.0.0.1.
int aerie_loopback_listen(unsigned short port);
int aerie_loopback_connect(unsigned short port);

/// The ports of a TCP connection over IPv4. -1 with errno set on failure.
int aerie_loopback_ports(int descriptor, unsigned short *own, unsigned short *peer);
