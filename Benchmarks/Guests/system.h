// Linux's system calls, for a program without a C library.
#pragma once

#include "kernel.h"

#if defined(__riscv)
enum {
    SYS_ioctl = 29, SYS_read = 63, SYS_write = 64, SYS_exit_group = 94, SYS_nanosleep = 101, SYS_clock_gettime = 113,
    SYS_sched_setaffinity = 122, SYS_reboot = 142, SYS_getcpu = 168, SYS_getpid = 172, SYS_getppid = 173, SYS_pipe2 = 59,
    SYS_munmap = 215, SYS_clone = 220, SYS_execve = 221, SYS_mmap = 222, SYS_madvise = 233, SYS_wait4 = 260
};

static inline i64 call(i64 number, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f) {
    register i64 a0 asm("a0") = a, a1 asm("a1") = b, a2 asm("a2") = c, a3 asm("a3") = d, a4 asm("a4") = e,
                 a5 asm("a5") = f, a7 asm("a7") = number;
    asm volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7) : "memory");
    return a0;
}

// Linux starts a program with argc, the arguments and the environment on the stack.
asm(".globl _start\n_start: mv a0, sp\nandi sp, sp, -16\ncall start\n");
#else
enum {
    SYS_read = 0, SYS_write = 1, SYS_mmap = 9, SYS_munmap = 11, SYS_ioctl = 16, SYS_madvise = 28, SYS_nanosleep = 35,
    SYS_getpid = 39, SYS_clone = 56, SYS_execve = 59, SYS_wait4 = 61, SYS_getppid = 110, SYS_reboot = 169,
    SYS_sched_setaffinity = 203, SYS_clock_gettime = 228, SYS_exit_group = 231, SYS_pipe2 = 293, SYS_getcpu = 309
};

static inline i64 call(i64 number, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f) {
    register i64 r10 asm("r10") = d, r8 asm("r8") = e, r9 asm("r9") = f;
    i64 result;
    asm volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
        : "rcx", "r11", "memory");
    return result;
}

asm(".globl _start\n_start: mov %rsp, %rdi\nand $-16, %rsp\ncall start\n");
#endif

#define CALL0(name) call(SYS_##name, 0, 0, 0, 0, 0, 0)
#define CALL1(name, a) call(SYS_##name, (i64)(a), 0, 0, 0, 0, 0)
#define CALL2(name, a, b) call(SYS_##name, (i64)(a), (i64)(b), 0, 0, 0, 0)
#define CALL3(name, a, b, c) call(SYS_##name, (i64)(a), (i64)(b), (i64)(c), 0, 0, 0)
#define CALL4(name, a, b, c, d) call(SYS_##name, (i64)(a), (i64)(b), (i64)(c), (i64)(d), 0, 0)
#define CALL6(name, a, b, c, d, e, f) \
    call(SYS_##name, (i64)(a), (i64)(b), (i64)(c), (i64)(d), (i64)(e), (i64)(f))

struct timespec {
    i64 seconds, nanoseconds;
};
