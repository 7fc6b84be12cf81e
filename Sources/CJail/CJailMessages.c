#define _GNU_SOURCE 1
#include "CJail.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { most_descriptors = 2 };

int aerie_jail_socket_pair(int *ends) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return -1;
    int yes = 1;
    return setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes);
}

int aerie_jail_send(int socket, const struct aerie_jail_message *message, const int *descriptors, int count) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(most_descriptors * sizeof(int))];
    } control;
    struct iovec part = {(void *)message, sizeof *message};
    struct msghdr envelope = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0 && count <= most_descriptors) {
        memset(&control, 0, sizeof control);
        envelope.msg_control = &control;
        envelope.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), descriptors, (size_t)count * sizeof(int));
    }
    ssize_t result;
    do result = sendmsg(socket, &envelope, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -1 : 0;
}

static void take(struct cmsghdr *header, int descriptors[2], int *sender) {
    if (header->cmsg_level != SOL_SOCKET) return;
    if (header->cmsg_type == SCM_CREDENTIALS) {
        struct ucred who;
        memcpy(&who, CMSG_DATA(header), sizeof who);
        *sender = who.pid;
    } else if (header->cmsg_type == SCM_RIGHTS) {
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof descriptor);
            if (i < most_descriptors && descriptors[i] < 0) descriptors[i] = descriptor;
            else close(descriptor);
        }
    }
}

static void close_all(int descriptors[2]) {
    for (int i = 0; i < most_descriptors; i++) {
        if (descriptors[i] >= 0) close(descriptors[i]);
        descriptors[i] = -1;
    }
}

int aerie_jail_receive(int socket, struct aerie_jail_message *message, int descriptors[2], int *sender) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(most_descriptors * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec part = {message, sizeof *message};
    struct msghdr envelope = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    descriptors[0] = descriptors[1] = -1;
    *sender = 0;
    ssize_t count;
    do count = recvmsg(socket, &envelope, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (count < 0 && errno == EINTR);
    if (count < 0) return errno == ECONNRESET ? 0 : -1;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&envelope); header; header = CMSG_NXTHDR(&envelope, header)) {
        take(header, descriptors, sender);
    }
    if (count == 0) {
        close_all(descriptors);
        return 0;
    }
    if (count != sizeof *message || envelope.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        close_all(descriptors);
        errno = EBADMSG;
        return -1;
    }
    return 1;
}

int aerie_jail_await_either(int first, int second) {
    struct pollfd items[2] = {{.fd = first, .events = POLLIN}, {.fd = second, .events = POLLIN}};
    int result;
    do result = poll(items, 2, -1);
    while (result < 0 && errno == EINTR);
    return (items[0].revents ? 1 : 0) + (items[1].revents ? 2 : 0);
}

int aerie_jail_await_readable(int descriptor, int milliseconds) {
    struct pollfd item = {.fd = descriptor, .events = POLLIN};
    int result;
    do result = poll(&item, 1, milliseconds);
    while (result < 0 && errno == EINTR);
    return result;
}
