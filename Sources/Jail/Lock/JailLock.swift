internal import CJail
internal import Glibc
internal import HostSystem

/// The steps of `JailInside.lock`, in the order in which they are possible.
struct JailLock {
    let settings: JailSettings
    private(set) var report: JailReport
    private let inside: JailInside
    /// Whether this process is in a user namespace of its own now.
    private var isInUserNamespace: Bool
    private let isRoot = geteuid() == 0
    /// Before the change of the root, which hides /proc.
    private let memoryAtLock = MemoryUse.privateBytes

    init(_ settings: JailSettings, _ inside: JailInside) {
        self.settings = settings
        self.inside = inside
        report = inside.startGaps
        isInUserNamespace = inside.hasUserNamespace
    }

    /// Whether a layer is to be entered; notes one that is left out.
    private mutating func wants(_ layer: JailLayer) -> Bool {
        if settings.omittedLayers.contains(layer) { report.add(layer, "left out") }
        return report.reason(for: layer) == nil
    }

    private mutating func miss(_ layer: JailLayer, _ call: String) {
        report.add(layer, "\(call): \(SystemError.last(call).reason)")
    }

    // MARK: Memory files

    /// Whoever has a memory file could fill the host's memory with it, were it not for its size.
    func sealMemoryFiles(among descriptors: [Int32]) {
        for number in descriptors where aerie_jail_kind_of(number) == AERIE_JAIL_MEMORY_FILE {
            // A file that somebody else has sealed against further seals has their rules.
            _ = aerie_jail_seal(number)
        }
    }

    // MARK: The root

    /// Where the empty root is put together: a directory that every host has.
    private static let base = "/usr"
    static let descriptorsPath = "/proc/self/fd"

    /// Changes to a root with nothing in it but the directories of the settings.
    ///
    /// - Throws: when the process has lost its former root and has no new one.
    mutating func enterEmptyRoot(_ directories: OpenDirectories) throws(SystemError) {
        guard wants(.emptyRoot) else { return }
        var isMounted = false
        do throws(SystemError) {
            let sources = try sources(directories)
            _ = try checked("mount tmpfs") { aerie_jail_mount_root(Self.base) }
            isMounted = true
            try fill(directories, sources)
            // The last step but for the change itself: what fails before it leaves the process as it was.
            _ = try checked("pivot_root") { aerie_jail_enter_root(Self.base) }
        } catch {
            if isMounted { _ = aerie_jail_unmount(Self.base) }
            report.add(.emptyRoot, "\(error)")
            return
        }
        for (index, share) in directories.shares.enumerated() {
            try reopen(Self.place(index), as: share.descriptors)
        }
        if !directories.processDirectories.isEmpty {
            try reopen(Self.descriptorsPath, as: directories.processDirectories)
        }
    }

    /// Where a share is in the new root.
    private static func place(_ index: Int) -> String { "/shares/\(index)" }

    /// The directories to be shown, opened while the root hides none of them: those of the shares, then those of sockets.
    private func sources(_ directories: OpenDirectories) throws(SystemError) -> OwnedDirectories {
        try OwnedDirectories(directories.shares.map(\.path) + settings.socketDirectories)
    }

    private func fill(_ directories: OpenDirectories, _ sources: OwnedDirectories) throws(SystemError) {
        for (index, share) in directories.shares.enumerated() {
            try bind(sources.path(index), at: Self.place(index), isReadOnly: share.isReadOnly)
        }
        for (index, directory) in settings.socketDirectories.enumerated() {
            try bind(sources.path(directories.shares.count + index), at: directory, isReadOnly: false)
        }
        if !directories.processDirectories.isEmpty {
            try bind(Self.descriptorsPath, at: Self.descriptorsPath, isReadOnly: false)
        }
    }

    private func bind(_ source: String, at place: String, isReadOnly: Bool) throws(SystemError) {
        _ = try checked("mkdir \(place)") { aerie_jail_make_path(Self.base, place) }
        _ = try checked("mount \(place)") { aerie_jail_bind(source, Self.base + place, isReadOnly) }
    }

    private func reopen(_ path: String, as numbers: [Int32]) throws(SystemError) {
        let directory = FileDescriptor(owning: try checked("open \(path)") { aerie_jail_open_directory(path) })
        for number in numbers { try directory.replace(number) }
    }

    // MARK: Namespaces

    /// Enters a user namespace at the lock, because until then the process had the host's privileges.
    mutating func enterUserNamespace() throws(SystemError) {
        guard !inside.hasUserNamespace, wants(.userNamespace), let mapper = inside.mapper else { return }
        guard try mapper.enterNamespace() else { return miss(.userNamespace, "unshare") }
        isInUserNamespace = true
    }

    mutating func enterOtherNamespaces() {
        if wants(.networkNamespace), aerie_jail_unshare(aerie_jail_network) != 0 { miss(.networkNamespace, "unshare") }
        guard wants(.otherNamespaces) else { return }
        if aerie_jail_unshare(aerie_jail_ipc | aerie_jail_uts | aerie_jail_cgroup) != 0 {
            return miss(.otherNamespaces, "unshare")
        }
        if aerie_jail_set_host_name("machine") != 0 { miss(.otherNamespaces, "sethostname") }
    }

    // MARK: Limits and rights

    /// The most open files: shared folders keep many.
    private static let mostFiles: UInt64 = 65536
    private static let stackSize: UInt64 = 8 << 20

    mutating func limit() {
        guard wants(.limits) else { return }
        // Elsewhere the limit would count all processes of the user.
        let threads = isInUserNamespace ? UInt64(settings.threads) : 0
        let memory = memoryAtLock.map { $0 + settings.memory + UInt64(settings.threads) * Self.stackSize }
        if aerie_jail_set_limits(Self.mostFiles, threads, memory ?? 0) != 0 {
            miss(.limits, "setrlimit")
        } else if threads == 0, !inside.areThreadsLimited {
            report.add(.limits, "the number of threads has no limit without a user namespace")
        }
    }

    /// The capabilities that stay: root serves files of shared folders that are not its own.
    private var keptCapabilities: UInt64 { isRoot && !settings.shares.isEmpty ? Capability.files : 0 }

    mutating func giveUpPrivileges() {
        if wants(.capabilities) {
            if aerie_jail_drop_capabilities(keptCapabilities) != 0 { miss(.capabilities, "capset") }
        }
        if wants(.newPrivileges) {
            if aerie_jail_no_new_privileges() != 0 { miss(.newPrivileges, "prctl") }
            if aerie_jail_forbid_tracing() != 0 { miss(.newPrivileges, "prctl") }
        }
    }

    // MARK: Landlock and filters

    mutating func enforceLandlock(_ directories: OpenDirectories) throws(SystemError) {
        guard wants(.landlock) else { return }
        let version = aerie_landlock_version()
        guard version > 0 else { return report.add(.landlock, "the kernel has none, or it is not switched on") }
        let rights = LandlockRights(version: Int(version))
        let rules = FileDescriptor(
            owning: try checked("landlock_create_ruleset") {
                aerie_landlock_create(rights.files, rights.network, rights.scopes, rights.size)
            })
        for share in directories.shares {
            let allowed = share.isReadOnly ? rights.reading : rights.changing
            for number in share.descriptors.prefix(1) {
                _ = try checked("landlock_add_rule") { aerie_landlock_allow(rules.rawValue, number, allowed) }
            }
        }
        for path in settings.socketDirectories {
            let directory = FileDescriptor(owning: try checked("open \(path)") { aerie_jail_open_directory(path) })
            _ = try checked("landlock_add_rule") {
                aerie_landlock_allow(rules.rawValue, directory.rawValue, rights.removing)
            }
        }
        if aerie_landlock_enforce(rules.rawValue) != 0 {
            miss(.landlock, "landlock_restrict_self")
        } else if let missing = rights.missing {
            report.add(.landlock, missing)
        }
    }

    mutating func filterCalls(reportingTo broker: BrokerClient) throws(SystemError) {
        guard wants(.systemCalls) else { return }
        #if arch(x86_64)
            let lists = FilterLists(settings: settings, process: getpid())
            let whole = FilterProgram(lists.whole)
            let roles = ThreadRole.allCases.map { role in lists.rules(of: role).map { FilterProgram($0) } }
            _ = try checked("sigaction") { aerie_filter_report_to(broker.socket) }
            if whole.install(forAllThreads: true) != 0 { return miss(.systemCalls, "seccomp") }
            HostThread.atStart = { name in
                let role = ThreadRole(threadName: name)
                aerie_filter_set_role(role.rawValue)
                guard let program = roles[Int(role.rawValue)] else { return }
                // A kernel that took the first filter takes this one, unless memory is short; then the thread must not run.
                guard program.install(forAllThreads: false) == 0 else {
                    fatalError("the filter of thread \(name) fails")
                }
            }
        #else
            report.add(.systemCalls, "it knows the system calls of x86-64 only")
        #endif
    }
}

extension FilterProgram {
    /// - Returns: -1 with errno set on failure.
    fileprivate func install(forAllThreads: Bool) -> Int32 {
        instructions.withUnsafeBufferPointer {
            aerie_filter_install($0.baseAddress, UInt16($0.count), forAllThreads)
        }
    }
}
