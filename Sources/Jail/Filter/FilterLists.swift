internal import CJail
internal import Glibc

/// The system calls that a machine's process and each role of its threads may make after the lock.
///
/// A thread inherits the filters of the thread that starts it. The roles that start threads (`processor`, `events`, `disk`, `share`)
/// therefore allow what the roles of those threads need.
struct FilterLists {
    let settings: JailSettings
    /// This process as it sees itself, for signals to its own threads.
    let process: Int32

    /// What the whole process may do.
    var whole: [FilterRule] { files + names + streams + waiting + threads + always }

    /// The rules of a role; nil where those of the process are all.
    func rules(of role: ThreadRole) -> [FilterRule]? {
        switch role {
        case .other: nil
        // Devices do their I/O on a vCPU's thread where it does not wait.
        case .processor: files + names + streams + threads + notifying + always
        case .events: files + names + streams + waiting + threads + always
        case .disk: files + noNames + threads + notifying + always
        case .share: files + names + threads + notifying + always
        case .console: files + noNames + notifying + FilterRule.allow(.recvfrom) + always
        case .translator, .clock: FilterRule.allow(.write) + noNames + always
        }
    }

    // MARK: Parts

    /// Memory, locks, time, signals, the end of threads, and the terminal's state, which handlers of signals restore on any thread.
    private var always: [FilterRule] {
        memory + signals + control
            + FilterRule.allow(
                .futex, .schedYield, .nanosleep, .clockNanosleep, .clockGettime, .clockGetres, .gettimeofday, .getpid,
                .gettid, .getuid, .geteuid, .getgid, .getegid, .getpgrp, .getrandom, .schedGetaffinity, .restartSyscall,
                .setRobustList, .rseq, .uname, .sysinfo, .exit, .exitGroup, .poll, .ppoll)
    }

    /// Private memory without the right to execute it: new memory, and files over what is mapped, as `GuestMemory.freeze` does. The code cache and
    /// the guest's memory are mapped before the lock.
    private var memory: [FilterRule] {
        let programs = UInt32(PROT_EXEC)
        let kinds = UInt32(MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS)
        let fixed = UInt32(MAP_FIXED)
        return FilterRule.allow(.munmap, .mremap, .madvise, .mincore, .brk)
            + FilterRule.allow(
                .mmap,
                when: [
                    [
                        .argument(2, masked: programs, is: 0),
                        .argument(3, masked: kinds, is: UInt32(MAP_PRIVATE | MAP_ANONYMOUS)),
                    ],
                    [
                        .argument(2, masked: programs, is: 0),
                        .argument(3, masked: kinds | fixed, is: UInt32(MAP_PRIVATE) | fixed),
                    ],
                ])
            + FilterRule.allow(.mprotect, when: [[.argument(2, masked: programs, is: 0)]])
    }

    private var signals: [FilterRule] {
        // The handler of SIGSYS belongs to the jail.
        FilterRule.allow(.signalAction, when: [[.argument(0, isNot: UInt32(SIGSYS))]], otherwise: .kill)
            + FilterRule.allow(.signalMask, .signalReturn, .sigaltstack)
            + FilterRule.allow(.tgkill, when: [[.argument(0, is: UInt32(process))]])
    }

    private var control: [FilterRule] {
        let setName: UInt32 = 15
        let requests = aerie_jail_requests
        // The second pair is what newer C libraries use.
        var allowed = [
            requests.terminalGet, requests.terminalSet, 0x802C_542A, 0x402C_542B, requests.terminalSize,
            requests.terminalGroup, requests.writeLogRegister, requests.writeLogUnregister, requests.writeLogScan,
            requests.pageCopy, requests.pageZero, requests.pageWake,
        ].map { [ArgumentTest.argument(1, is: $0)] }
        if settings.usesTap { allowed += [requests.tunOffload, requests.tunQueue].map { [.argument(1, is: $0)] } }
        if settings.usesKVM {
            let creating = [requests.kvmCreateMachine, requests.kvmCreateProcessor, requests.kvmCreateDevice]
            allowed.append(
                [.argument(1, masked: 0xFF00, is: 0xAE00)] + creating.map { .argument(1, isNot: $0) })
        }
        return FilterRule.allow(.ioctl, when: allowed) + FilterRule.allow(.prctl, when: [[.argument(0, is: setName)]])
    }

    /// Open files.
    private var files: [FilterRule] {
        let commands = [F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, Self.getSeals]
        return FilterRule.allow(
            .read, .write, .readv, .writev, .pread64, .pwrite64, .preadv, .pwritev, .preadv2, .pwritev2, .lseek, .fstat,
            .newfstatat, .fstatfs, .fsync, .fdatasync, .syncFileRange, .fallocate, .ftruncate, .close, .dup, .dup3,
            .ioUringEnter)
            // Locks stay as they are: some belong to the monitor as well.
            + FilterRule.allow(.fcntl, when: commands.map { [.argument(1, is: UInt32($0))] }, otherwise: .refuse(EPERM))
            // Limits may be read, not changed.
            + FilterRule.allow(.prlimit64, when: [[.argument(0, is: 0), .argumentIsNull(2)]])
            + FilterRule.allow(.getrlimit)
    }

    /// F_GET_SEALS, which Swift does not import.
    private static let getSeals: Int32 = 1034

    /// Files by their names: those of shared folders, or the sockets of switches.
    private var names: [FilterRule] {
        if !settings.shares.isEmpty {
            return FilterRule.allow(
                .open, .openat, .openat2, .unlink, .unlinkat, .statx, .getdents64, .mkdirat, .mknodat, .symlinkat,
                .linkat, .renameat, .renameat2, .readlinkat, .fchmodat, .fchmodat2, .fchownat, .utimensat,
                .copyFileRange,
                .syncfs, .getxattr, .listxattr, .setxattr, .removexattr)
                + FilterRule.refuse(EACCES, .stat, .lstat, .access, .faccessat, .faccessat2, .readlink, .rename)
        }
        guard !settings.socketDirectories.isEmpty else { return noNames }
        let writing = UInt32(O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND)
        return FilterRule.allow(.openat, when: [[.argument(2, masked: writing, is: 0)]], otherwise: .refuse(EACCES))
            + FilterRule.allow(.unlink, .getdents64)
            + FilterRule.refuse(
                EACCES, .open, .stat, .lstat, .access, .faccessat, .faccessat2, .readlink, .readlinkat, .rename)
    }

    /// Calls that the process tries and can do without: the log's change of its file, the removal of a socket's file.
    private var noNames: [FilterRule] {
        FilterRule.refuse(
            EACCES, .open, .openat, .stat, .lstat, .access, .faccessat, .faccessat2, .readlink, .readlinkat, .rename,
            .unlink)
    }

    /// Connected sockets.
    private var streams: [FilterRule] {
        FilterRule.allow(.sendto, .recvfrom, .sendmsg, .recvmsg, .shutdown, .getsockopt, .getsockname)
    }

    /// Events, timers, and connections that programs of the host make.
    private var waiting: [FilterRule] {
        notifying + FilterRule.allow(.epollCreate1, .epollWait, .epollPwait, .accept4, .pipe2)
    }

    private var notifying: [FilterRule] { FilterRule.allow(.epollCtl, .eventfd2, .timerfdCreate, .timerfdSettime) }

    /// Threads of this process, as the C library starts them, and their filters.
    private var threads: [FilterRule] {
        // CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, SETTLS, PARENT_SETTID, CHILD_CLEARTID.
        let thread: UInt32 = 0x3D_0F00
        let (setFilter, noFlags): (UInt32, UInt32) = (1, 0)
        return FilterRule.allow(.clone, when: [[.argument(0, is: thread)]])
            // Its arguments are in memory; the C library then uses clone.
            + FilterRule.refuse(ENOSYS, .clone3)
            + FilterRule.allow(.seccomp, when: [[.argument(0, is: setFilter), .argument(1, is: noFlags)]])
    }
}
