#define _GNU_SOURCE 1
#include "CJail.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int get(struct __user_cap_data_struct sets[2]) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    return (int)syscall(SYS_capget, &header, sets);
}

uint64_t aerie_jail_capabilities(void) {
    struct __user_cap_data_struct sets[2];
    if (get(sets) != 0) return ~0ULL;
    return sets[0].effective | (uint64_t)sets[1].effective << 32;
}

int aerie_jail_drop_capabilities(uint64_t kept) {
    // Without CAP_SETPCAP the bounding set stays: no_new_privs keeps it from mattering.
    for (unsigned long capability = 0; capability < 64; capability++) {
        if (kept >> capability & 1) continue;
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno == EINVAL) break;
    }
    prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED, 0, 0, 0);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2];
    if (get(sets) != 0) return -1;
    for (int half = 0; half < 2; half++) {
        sets[half].permitted &= (uint32_t)(kept >> 32 * half);
        sets[half].effective = sets[half].permitted;
        sets[half].inheritable = 0;
    }
    return (int)syscall(SYS_capset, &header, sets);
}

int aerie_jail_no_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

// Landlock's calls and structures are newer than many C libraries.
enum { call_create = 444, call_add_rule = 445, call_restrict_self = 446 };

struct rule_set {
    uint64_t files, network, scopes;
};

struct path_rule {
    uint64_t rights;
    int32_t directory;
} __attribute__((packed));

int aerie_landlock_version(void) {
    long version = syscall(call_create, NULL, 0, 1);
    return version < 0 ? 0 : (int)version;
}

int aerie_landlock_create(uint64_t files, uint64_t network, uint64_t scopes, size_t size) {
    struct rule_set set = {files, network, scopes};
    return (int)syscall(call_create, &set, size, 0);
}

int aerie_landlock_allow(int rules, int directory, uint64_t rights) {
    struct path_rule rule = {rights, directory};
    return (int)syscall(call_add_rule, rules, 1, &rule, 0);
}

int aerie_landlock_enforce(int rules) { return (int)syscall(call_restrict_self, rules, 0); }
