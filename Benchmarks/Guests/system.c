// Loads of an operating system, as a program sees them: system calls, context switches, processes, page faults. As a guest's first
// process it runs all loads between marks on the console; on the host it runs the load of its argument. See MarkedRun.swift.
#include "system.h"

struct load {
    const char *name;
    int (*run)(void);
};

static char **environment, **words;
static const char *self;

static u64 length(const char *text) {
    u64 count = 0;
    while (text[count]) count++;
    return count;
}

static int equal(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

static void say(const char *text) { CALL3(write, 1, text, length(text)); }

static void say_number(u64 value) {
    char digits[21], *first = digits + 20;
    *first = 0;
    do *--first = (char)('0' + value % 10);
    while (value /= 10);
    say(first);
}

static u64 now(void) {
    struct timespec time;
    CALL2(clock_gettime, 1, &time);
    return (u64)time.seconds * 1000000000 + (u64)time.nanoseconds;
}

static i64 fork(void) { return CALL1(clone, 17 /* SIGCHLD */); }

static void quit(int code) {
    for (;;) CALL1(exit_group, code);
}

// A byte goes to another process and back, 100000 times.
static int ping_pong(void) {
    int there[2], back[2];
    if (CALL2(pipe2, there, 0) || CALL2(pipe2, back, 0)) return 0;
    i64 child = fork();
    u8 byte = 0;
    if (child == 0) {
        for (int i = 0; i < 100000; i++) {
            if (CALL3(read, there[0], &byte, 1) != 1) quit(1);
            byte++;
            if (CALL3(write, back[1], &byte, 1) != 1) quit(1);
        }
        quit(0);
    }
    for (int i = 0; i < 100000; i++) {
        if (CALL3(write, there[1], &byte, 1) != 1) return 0;
        if (CALL3(read, back[0], &byte, 1) != 1) return 0;
    }
    int status = 1;
    CALL4(wait4, child, &status, 0, 0);
    return status == 0 && byte == (100000 & 255);
}

static int processes(void) {
    for (int i = 0; i < 1000; i++) {
        i64 child = fork();
        if (child == 0) {
            const char *arguments[] = { self, "nothing", 0 };
            CALL3(execve, self, arguments, environment);
            quit(1);
        }
        int status = 1;
        if (CALL4(wait4, child, &status, 0, 0) != child || status != 0) return 0;
    }
    return 1;
}

static int system_calls(void) {
    i64 parent = CALL0(getppid);
    for (int i = 0; i < 1000000; i++)
        if (CALL0(getppid) != parent) return 0;
    return 1;
}

// Forty times 16 MiB, a page at a time: 163840 faults.
static int page_faults(void) {
    const u64 size = 16 << 20;
    for (int round = 0; round < 40; round++) {
        char *memory = (char *)CALL6(mmap, 0, size, 3 /* read, write */, 0x22 /* private, anonymous */, -1, 0);
        if ((i64)memory < 0 && (i64)memory > -4096) return 0;
        CALL3(madvise, memory, size, 15 /* no huge pages */);
        for (u64 i = 0; i < size; i += 4096) memory[i] = (char)(memory[i] + 1);
        CALL2(munmap, memory, size);
    }
    return 1;
}

// No system calls and little memory: a processor on its own.
static int compute(void) {
    u64 state = 88172645463325252, sum = 0;
    for (u64 i = 0; i < 400000000; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        sum += state * 0x2545f4914f6cdd1d;
    }
    return sum != 0;
}

static int nothing(void) { return 1; }

static const struct load loads[] = {
    { "pipe", ping_pong }, { "exec", processes }, { "getppid", system_calls }, { "faults", page_faults },
    { "compute", compute }, { "nothing", nothing },
};
#define LOADS (sizeof loads / sizeof loads[0])

// Waits until the console has sent all output, so that the next load does not include it.
static void drain(void) { CALL3(ioctl, 1, 0x5409 /* TCSBRK */, 1); }

// The first process runs the loads that the kernel's command line names, without one all but `compute`, which is the hypervisor's.
static int is_wanted(const char *name) {
    int hasNames = 0;
    for (char **word = words; *word; word++) {
        if (equal(*word, name)) return 1;
        for (u64 i = 0; i < LOADS; i++) hasNames |= equal(*word, loads[i].name);
    }
    return !hasNames && !equal(name, "compute");
}

static void run_all(void) {
    say("\n@init\n");
    drain();
    // Time for the observer to measure memory.
    struct timespec pause = { 0, 500000000 };
    CALL2(nanosleep, &pause, 0);
    for (u64 i = 0; i < LOADS; i++) {
        if (!is_wanted(loads[i].name)) continue;
        say("@begin ");
        say(loads[i].name);
        say("\n");
        drain();
        u64 start = now();
        int right = loads[i].run();
        u64 time = now() - start;
        say(right ? "@end " : "@failed ");
        say(loads[i].name);
        say(" ");
        say_number(time);
        say("\n");
        drain();
    }
    say("@done\n");
    drain();
    CALL4(reboot, 0xfee1dead, 672274793, 0x4321fedc /* power off */, 0);
}

// One processor, as the guest has.
static void stay_here(void) {
    u32 processor = 0;
    static u64 mask[16];
    CALL3(getcpu, &processor, 0, 0);
    if (processor < 1024) mask[processor / 64] = 1ul << processor % 64;
    CALL3(sched_setaffinity, 0, sizeof mask, mask);
}

__attribute__((used, noreturn)) void start(i64 *stack) {
    i64 count = stack[0];
    char **arguments = (char **)(stack + 1);
    environment = arguments + count + 1;
    if (CALL0(getpid) == 1) {
        self = "/init";
        words = arguments + 1;
        run_all();
        quit(1);
    }
    self = arguments[0];
    for (u64 i = 0; i < LOADS; i++) {
        if (count != 2 || !equal(arguments[1], loads[i].name)) continue;
        // A program started by exec inherits the affinity.
        if (i + 1 < LOADS) stay_here();
        quit(loads[i].run() ? 0 : 1);
    }
    quit(2);
    for (;;) {}
}
