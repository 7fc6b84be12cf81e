#define _GNU_SOURCE 1
#include "CRawCalls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

long raw_call(long number, long a, long b, long c, long d, long e, long f) {
    long result = syscall(number, a, b, c, d, e, f);
    return result == -1 ? -errno : result;
}

static socklen_t unix_address(const char *name, struct sockaddr_un *address) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    strncpy(address->sun_path, name, sizeof address->sun_path - 1);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    if (*name == '@') address->sun_path[0] = 0;
    return *name == '@' ? length : length + 1;
}

static struct sockaddr_in tcp_address(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

long raw_connect_unix(const char *name) {
    struct sockaddr_un address;
    socklen_t length = unix_address(name, &address);
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&address, length) != 0) return -errno;
    return 0;
}

long raw_connect_tcp(int port) {
    struct sockaddr_in address = tcp_address(port);
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0) return -errno;
    return 0;
}

int raw_listen_unix(const char *name) {
    struct sockaddr_un address;
    socklen_t length = unix_address(name, &address);
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&address, length) != 0 || listen(descriptor, 64) != 0) return -1;
    return descriptor;
}

int raw_listen_tcp(int *port) {
    struct sockaddr_in address = tcp_address(0);
    socklen_t length = sizeof address;
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&address, length) != 0 || listen(descriptor, 64) != 0) return -1;
    if (getsockname(descriptor, (struct sockaddr *)&address, &length) != 0) return -1;
    *port = ntohs(address.sin_port);
    return descriptor;
}

long raw_fork(void) {
    long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) syscall(SYS_exit_group, 0);
    if (child < 0) return -errno;
    waitpid((pid_t)child, NULL, 0);
    return 0;
}

static void *wait_for_ever(void *unused) {
    struct timespec long_time = {.tv_sec = 1000};
    for (;;) nanosleep(&long_time, NULL);
    return unused;
}

int raw_threads(int most) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    int count = 0;
    pthread_t thread;
    while (count < most && pthread_create(&thread, &attributes, wait_for_ever, NULL) == 0) count++;
    return count;
}

int raw_memory(int most) {
    int count = 0;
    while (count < most) {
        void *piece = mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (piece == MAP_FAILED) break;
        count++;
    }
    return count;
}
