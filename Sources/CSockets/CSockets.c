#define _GNU_SOURCE
#include "CSockets.h"

#include <errno.h>
#include <netinet/in.h>
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

long aerie_stream_send(
    int descriptor, const void *bytes, unsigned long count, const int *descriptors, int descriptorCount) {
    if (descriptorCount < 0 || descriptorCount > aerie_stream_most_descriptors) return errno = EINVAL, -1;
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = count};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(aerie_stream_most_descriptors * sizeof(int))] = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (descriptorCount > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE((size_t)descriptorCount * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN((size_t)descriptorCount * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, (size_t)descriptorCount * sizeof(int));
    }
    long sent;
    do {
        sent = sendmsg(descriptor, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent;
}

long aerie_stream_receive(
    int descriptor, void *bytes, unsigned long count, int *descriptors, int *descriptorCount) {
    struct iovec part = {.iov_base = bytes, .iov_len = count};
    // The kernel closes what does not fit.
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(aerie_stream_most_descriptors * sizeof(int))];
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    *descriptorCount = 0;
    long received;
    do {
        received = recvmsg(descriptor, &message, MSG_CMSG_CLOEXEC);
    } while (received < 0 && errno == EINTR);
    if (received < 0) return -1;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        int found = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int index = 0; index < found; index++) {
            int number;
            memcpy(&number, CMSG_DATA(header) + (size_t)index * sizeof(int), sizeof number);
            if (*descriptorCount < aerie_stream_most_descriptors) descriptors[(*descriptorCount)++] = number;
            else close(number);
        }
    }
    return received;
}

static struct sockaddr_in loopback(unsigned short port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int aerie_loopback_listen(unsigned short port) {
    struct sockaddr_in address = loopback(port);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    if (descriptor < 0) return -1;
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(descriptor, (struct sockaddr *)&address, sizeof address) != 0 || listen(descriptor, backlog) != 0)
        return fail(descriptor);
    return descriptor;
}

int aerie_loopback_connect(unsigned short port) {
    struct sockaddr_in address = loopback(port);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0) return fail(descriptor);
    return descriptor;
}

int aerie_loopback_ports(int descriptor, unsigned short *own, unsigned short *peer) {
    struct sockaddr_in here, there;
    socklen_t hereSize = sizeof here, thereSize = sizeof there;
    if (getsockname(descriptor, (struct sockaddr *)&here, &hereSize) != 0 ||
        getpeername(descriptor, (struct sockaddr *)&there, &thereSize) != 0)
        return -1;
    if (here.sin_family != AF_INET || there.sin_family != AF_INET) return errno = EAFNOSUPPORT, -1;
    *own = ntohs(here.sin_port);
    *peer = ntohs(there.sin_port);
    return 0;
}
