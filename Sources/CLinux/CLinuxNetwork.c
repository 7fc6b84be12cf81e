#define _GNU_SOURCE 1
#include "CLinuxNetwork.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

// Closes a descriptor of a call that failed, and keeps the failure's errno.
static int fail(int descriptor) {
    int code = errno;
    close(descriptor);
    errno = code;
    return -1;
}

int aerie_tap_open(char *name, int isMultiQueue) {
    int descriptor = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (descriptor == -1) return -1;
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (isMultiQueue ? IFF_MULTI_QUEUE : 0)};
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    int size = 12;
    if (ioctl(descriptor, TUNSETIFF, &request) != 0 || ioctl(descriptor, TUNSETVNETHDRSZ, &size) != 0) {
        return fail(descriptor);
    }
    memcpy(name, request.ifr_name, IFNAMSIZ);
    return descriptor;
}

int aerie_tap_attach(int descriptor, int isAttached) {
    struct ifreq request = {.ifr_flags = isAttached ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE};
    return ioctl(descriptor, TUNSETQUEUE, &request);
}

int aerie_tap_set_offloads(int descriptor, unsigned offloads) {
    unsigned bits = (offloads & 1 ? TUN_F_CSUM : 0) | (offloads & 2 ? TUN_F_TSO4 : 0) | (offloads & 4 ? TUN_F_TSO6 : 0)
        | (offloads & 8 ? TUN_F_TSO_ECN : 0);
    return ioctl(descriptor, TUNSETOFFLOAD, (unsigned long)bits);
}

// Carries out a request for an interface that needs a socket, any one.
static int interface_request(unsigned long code, struct ifreq *request, const char *name) {
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor == -1) return -1;
    strncpy(request->ifr_name, name, IFNAMSIZ - 1);
    if (ioctl(descriptor, code, request) != 0) return fail(descriptor);
    close(descriptor);
    return 0;
}

int aerie_interface_set_up(const char *name) {
    struct ifreq request = {0};
    if (interface_request(SIOCGIFFLAGS, &request, name) != 0) return -1;
    if (request.ifr_flags & IFF_UP) return 0;
    request.ifr_flags |= IFF_UP;
    return interface_request(SIOCSIFFLAGS, &request, name);
}

int aerie_interface_mtu(const char *name) {
    struct ifreq request = {0};
    return interface_request(SIOCGIFMTU, &request, name) == 0 ? request.ifr_mtu : -1;
}

static int address(struct sockaddr_un *address, const char *path) {
    size_t length = strlen(path);
    if (length >= sizeof address->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length);
    return 0;
}

int aerie_datagram_socket(const char *path) {
    struct sockaddr_un own;
    if (address(&own, path) != 0) return -1;
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor == -1) return -1;
    int size = 1 << 20;
    setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return bind(descriptor, (struct sockaddr *)&own, sizeof own) == 0 ? descriptor : fail(descriptor);
}

long aerie_datagram_send(
    int descriptor, const char *path, const void *header, size_t headerLength, const void *frame, size_t frameLength) {
    struct sockaddr_un peer;
    if (address(&peer, path) != 0) return -1;
    struct iovec pieces[2] = {{(void *)header, headerLength}, {(void *)frame, frameLength}};
    struct msghdr message = {.msg_name = &peer, .msg_namelen = sizeof peer, .msg_iov = pieces, .msg_iovlen = 2};
    return sendmsg(descriptor, &message, MSG_NOSIGNAL);
}

long aerie_datagram_receive(int descriptor, void *buffer, size_t length, char *sender) {
    struct sockaddr_un peer = {0};
    socklen_t size = sizeof peer;
    ssize_t count = recvfrom(descriptor, buffer, length, 0, (struct sockaddr *)&peer, &size);
    memcpy(sender, peer.sun_path, sizeof peer.sun_path);
    sender[sizeof peer.sun_path - 1] = 0;
    return count;
}

int aerie_watch_directory(const char *path) {
    int descriptor = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (descriptor == -1) return -1;
    uint32_t events = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR;
    return inotify_add_watch(descriptor, path, events) == -1 ? fail(descriptor) : descriptor;
}

int aerie_try_port(const char *address, int port, int isUDP) {
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int isIPv6 = inet_pton(AF_INET6, address, &six.sin6_addr) == 1;
    if (!isIPv6 && inet_pton(AF_INET, address, &four.sin_addr) != 1) return EINVAL;
    int descriptor = socket(isIPv6 ? AF_INET6 : AF_INET, (isUDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    if (descriptor == -1) return errno;
    int one = 1;
    // As passt binds: a port whose last connections still linger is free.
    if (!isUDP) setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    int code = isIPv6 ? bind(descriptor, (struct sockaddr *)&six, sizeof six)
                      : bind(descriptor, (struct sockaddr *)&four, sizeof four);
    code = code == 0 ? 0 : errno;
    close(descriptor);
    return code;
}
