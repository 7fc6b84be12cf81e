#define _GNU_SOURCE
#include "CSockets.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/// How many connections wait to be accepted.
enum { backlog = 64 };

static int address_of(const char *path, struct sockaddr_un *address) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address->sun_path, path);
    return 0;
}

static int fail(int descriptor) {
    int code = errno;
    close(descriptor);
    errno = code;
    return -1;
}

static int stream_socket(void) { return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

int aerie_stream_listen(const char *path) {
    struct sockaddr_un address;
    if (address_of(path, &address) != 0) return -1;
    int descriptor = stream_socket();
    if (descriptor < 0) return -1;
    // The mode of the socket before bind(2) is that of the file; the process's umask takes bits away only.
    if (fchmod(descriptor, S_IRUSR | S_IWUSR) != 0 ||
        bind(descriptor, (struct sockaddr *)&address, sizeof address) != 0)
        return fail(descriptor);
    if (listen(descriptor, backlog) != 0) {
        int code = errno;
        unlink(path);
        errno = code;
        return fail(descriptor);
    }
    return descriptor;
}

int aerie_stream_accept(int listener) { return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC); }

int aerie_stream_connect(const char *path) {
    struct sockaddr_un address;
    if (address_of(path, &address) != 0) return -1;
    int descriptor = stream_socket();
    if (descriptor < 0) return -1;
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0) return fail(descriptor);
    return descriptor;
}

int aerie_stream_is_hung_up(int descriptor) {
    struct pollfd item = {.fd = descriptor};
    return poll(&item, 1, 0) > 0 && (item.revents & (POLLHUP | POLLERR)) != 0;
}
