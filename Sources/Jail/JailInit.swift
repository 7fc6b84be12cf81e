internal import CJail
internal import Glibc
internal import HostSystem

/// The first process of a jail: it starts the machine's process, waits for its end, and reports how it ended.
///
/// In a process namespace the first process cannot be stopped or ended like others, which a terminal's job control needs of the machine's
/// process; therefore that is the second one. Both end with the monitor, because nobody would keep the machine's record any more.
struct JailInit {
    let status: Int32
    let broker: Int32
    let attempt: NamespaceAttempt
    /// The monitor's, which are not visible in a new user namespace.
    let user: uid_t
    let group: gid_t

    func run(_ settings: JailSettings, _ gaps: JailReport, _ body: (JailInside) -> Int32) -> Never {
        _ = aerie_jail_set_death_signal(SIGKILL)
        // The monitor's message proves that it was alive after that.
        guard waitForGo() else { _exit(1) }
        if attempt.hasUser, let failure = mapCaller() {
            send(.failure, UInt32(bitPattern: failure))
            _exit(1)
        }
        let areThreadsLimited = attempt.hasProcess && limitProcesses(settings.threads)
        let parent = getpid()
        let child = aerie_jail_fork()
        if child == 0 { runMachine(settings, gaps, parent, areThreadsLimited, body) }
        guard child > 0 else {
            send(.failure, UInt32(bitPattern: errno))
            _exit(1)
        }
        watch(child)
    }

    /// Waits for a message or the end of the monitor; false at its end.
    private func waitForGo() -> Bool {
        aerie_jail_await_readable(status, -1) == 1 && ReceivedMessage.next(from: status) != nil
    }

    private func send(_ kind: JailMessageKind, _ argument: UInt32) {
        var message = aerie_jail_message(kind: kind.rawValue, sequence: 0, argument: argument, result: 0)
        _ = aerie_jail_send(status, &message, nil, 0)
    }

    /// The caller's user and group are the only ones of the namespace. Returns an errno value on failure.
    private func mapCaller() -> Int32? {
        // A process without privileges maps its group only after it has given up changing groups.
        let files = [
            ("/proc/self/setgroups", "deny"), ("/proc/self/uid_map", "\(user) \(user) 1"),
            ("/proc/self/gid_map", "\(group) \(group) 1"),
        ]
        for (path, text) in files where aerie_jail_write_file(aerie_jail_no_directory, path, text) != 0 { return errno }
        return nil
    }

    /// The limit of threads for root, who has none otherwise; others may not set it, and have a limit of their own (`JailLock.limit`). On
    /// kernels where this limit is the whole host's, it stays.
    ///
    /// - Returns: whether the limit holds.
    private func limitProcesses(_ count: Int) -> Bool {
        guard aerie_jail_counts_processes() else { return false }
        // The lowest limit that the kernel takes, and the numbers below it that it does not use.
        let limit = max(count, 1) + Self.reservedNumbers
        return aerie_jail_write_file(aerie_jail_no_directory, "/proc/sys/kernel/pid_max", "\(limit)") == 0
    }

    /// RESERVED_PIDS of the kernel.
    private static let reservedNumbers = 301

    private func runMachine(
        _ settings: JailSettings, _ gaps: JailReport, _ parent: pid_t, _ areThreadsLimited: Bool,
        _ body: (JailInside) -> Int32
    ) -> Never {
        _ = aerie_jail_set_death_signal(SIGKILL)
        guard getppid() == parent else { _exit(1) }
        var gaps = gaps
        enterMountNamespace(settings, &gaps)
        let kept = (settings.descriptors + [broker]).sorted()
        aerie_jail_close_others(kept, kept.count)
        aerie_jail_unblock_signals()
        let mapper = startMapper(settings, &gaps)
        var message = aerie_jail_message(kind: JailMessageKind.hello.rawValue, sequence: 0, argument: 0, result: 0)
        guard aerie_jail_send(broker, &message, nil, 0) == 0 else { _exit(1) }
        let inside = JailInside(
            broker: BrokerClient(socket: broker), hasUserNamespace: attempt.hasUser, mapper: mapper,
            areThreadsLimited: areThreadsLimited, startGaps: gaps)
        exit(body(inside))
    }

    /// For the user namespace that is entered at the lock, because until then the process has the host's privileges.
    private func startMapper(_ settings: JailSettings, _ gaps: inout JailReport) -> UserMapper? {
        guard !attempt.hasUser, !settings.omittedLayers.contains(.userNamespace),
            gaps.reason(for: .userNamespace) == nil
        else { return nil }
        do throws(SystemError) { return try UserMapper() } catch {
            gaps.add(.userNamespace, "\(error)")
            return nil
        }
    }

    /// A copy of the host's mounts, so that directories opened from now on can be shown in another place later.
    private func enterMountNamespace(_ settings: JailSettings, _ gaps: inout JailReport) {
        if settings.omittedLayers.contains(.emptyRoot) { return gaps.add(.emptyRoot, "left out") }
        if aerie_jail_unshare(aerie_jail_mount) != 0 {
            return gaps.add(.emptyRoot, "unshare: \(SystemError.last("unshare").reason)")
        }
        if aerie_jail_separate_mounts() != 0 { gaps.add(.emptyRoot, "mount: \(SystemError.last("mount").reason)") }
    }

    /// Keeps nothing that the machine's process, which might trace it, does not have.
    private func watch(_ child: pid_t) -> Never {
        aerie_jail_ignore_signals()
        _ = aerie_jail_forbid_tracing()
        var kept = [status]
        aerie_jail_close_others(&kept, 1)
        for stream in 0..<Int32(3) { close(stream) }
        _ = aerie_jail_drop_capabilities(0)
        // It only waits from now on.
        releaseProgram()
        var code: Int32 = 0
        guard aerie_jail_await(child, &code) == 0 else { _exit(1) }
        // The child is collected only when the monitor knows that its number may belong to another process soon.
        send(.ended, UInt32(bitPattern: code))
        _ = waitForGo()
        _exit(0)
    }
}
