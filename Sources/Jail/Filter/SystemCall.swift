/// Linux's system calls on x86-64 that the filters and their tests speak of.
enum SystemCall: UInt32, CaseIterable {
    case read = 0, write = 1, open = 2, close = 3, stat = 4, fstat = 5, lstat = 6, poll = 7, lseek = 8, mmap = 9
    case mprotect = 10, munmap = 11, brk = 12, signalAction = 13, signalMask = 14, signalReturn = 15, ioctl = 16
    case pread64 = 17, pwrite64 = 18, readv = 19, writev = 20, access = 21, schedYield = 24, mremap = 25
    case mincore = 27, madvise = 28, shmat = 30, dup = 32, nanosleep = 35, getpid = 39, socket = 41, connect = 42,
        sendto = 44
    case recvfrom = 45, sendmsg = 46, recvmsg = 47, shutdown = 48, bind = 49, getsockname = 51, getsockopt = 55
    case clone = 56, fork = 57, vfork = 58, execve = 59, exit = 60, kill = 62, uname = 63, fcntl = 72
    case fsync = 74, fdatasync = 75, ftruncate = 77, getcwd = 79, rename = 82, mkdir = 83, unlink = 87
    case readlink = 89, fchmod = 91, fchown = 93, gettimeofday = 96, getrlimit = 97, sysinfo = 99, ptrace = 101
    case getuid = 102, getgid = 104, setuid = 105, geteuid = 107, getegid = 108, getppid = 110, getpgrp = 111,
        setresuid = 117
    case capset = 126, sigaltstack = 131, personality = 135, fstatfs = 138, pivotRoot = 155, prctl = 157
    case chroot = 161, mount = 165, umount2 = 166, reboot = 169, initModule = 175, gettid = 186, setxattr = 188
    case getxattr = 191, listxattr = 194, removexattr = 197, tkill = 200, futex = 202, schedGetaffinity = 204
    case getdents64 = 217, restartSyscall = 219, clockGettime = 228, clockGetres = 229, clockNanosleep = 230
    case exitGroup = 231, epollWait = 232, epollCtl = 233, tgkill = 234, kexecLoad = 246, addKey = 248
    case keyctl = 250, openat = 257, mkdirat = 258, mknodat = 259, fchownat = 260, newfstatat = 262
    case unlinkat = 263, renameat = 264, linkat = 265, symlinkat = 266, readlinkat = 267, fchmodat = 268
    case faccessat = 269, ppoll = 271, unshare = 272, setRobustList = 273, syncFileRange = 277, utimensat = 280
    case epollPwait = 281, timerfdCreate = 283, fallocate = 285, timerfdSettime = 286, accept4 = 288
    case eventfd2 = 290, epollCreate1 = 291, dup3 = 292, pipe2 = 293, preadv = 295, pwritev = 296
    case perfEventOpen = 298, prlimit64 = 302, openByHandleAt = 304, syncfs = 306, setns = 308
    case processVmReadv = 310, processVmWritev = 311, renameat2 = 316, seccomp = 317, getrandom = 318
    case memfdCreate = 319, bpf = 321, execveat = 322, userfaultfd = 323, copyFileRange = 326, preadv2 = 327
    case pwritev2 = 328, pkeyMprotect = 329, statx = 332, rseq = 334, ioUringSetup = 425, ioUringEnter = 426
    case ioUringRegister = 427, pidfdOpen = 434, clone3 = 435, openat2 = 437, pidfdGetfd = 438, faccessat2 = 439
    case fchmodat2 = 452
}
