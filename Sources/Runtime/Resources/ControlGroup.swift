internal import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// The control group of a machine: its processes share one weight and one limit of processor time.
///
/// The file `cgroup` in the machine's directory names the group from before it is made until after it is removed, so that whoever starts or
/// removes the machine clears away what killed processes have left.
struct ControlGroup: Equatable, Sendable {
    /// Microseconds of the kernel's period.
    private static let period = 100_000
    /// How often, and how long in microseconds, a removal waits for the group's last process.
    private static let patience = (attempts: 50, pause: UInt32(2000))

    let version: ControlGroupTree.Version
    let path: String

    // MARK: Making

    /// Makes the group of a machine, or finds the present one, and moves a process with all its threads there.
    ///
    /// - Parameter tree: the place of the machine's monitor.
    /// - Returns: nil when this user cannot make groups on this host.
    static func make(for machine: Machine, in tree: ControlGroupTree, process: Int32) -> ControlGroup? {
        if let present = ControlGroup(of: machine) {
            return (try? present.add(process)) == nil ? nil : present
        }
        for parent in tree.parents {
            let group = ControlGroup(version: tree.version, path: "\(parent)/\(name(of: machine))")
            if group.tryMaking(in: parent, for: machine, process) { return group }
        }
        return nil
    }

    private func tryMaking(in parent: String, for machine: Machine, _ process: Int32) -> Bool {
        do throws(SystemError) {
            if version == .two {
                let controls = "\(parent)/cgroup.subtree_control"
                let handedOn = ProcessFile.text(controls)?.split { $0.isWhitespace } ?? []
                if !handedOn.contains("cpu") { try ProcessFile.write("+cpu", to: controls) }
            }
            // Without rights in the parent, nothing need be noted.
            guard access(parent, W_OK) == 0 else { return false }
            try Self.note("\(version == .one ? 1 : 2) \(path)", for: machine)
            if mkdir(path, 0o755) != 0, errno != EEXIST { throw .last("mkdir \(path)") }
            try add(process)
            return true
        } catch {
            _ = Glibc.rmdir(path)
            unlink(machine.file(Machine.groupName))
            return false
        }
    }

    private static func name(of machine: Machine) -> String { "aerie-\(machine.record.id)" }

    private static func note(_ text: String, for machine: Machine) throws(SystemError) {
        let file = try FileDescriptor(
            path: machine.file(Machine.groupName), flags: O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
        try file.writeAll(Array(text.utf8))
    }

    private init(version: ControlGroupTree.Version, path: String) {
        self.version = version
        self.path = path
    }

    /// The group that the machine's directory names; nil for none.
    init?(of machine: Machine) {
        guard let text = ProcessFile.text(machine.file(Machine.groupName)), text.utf8.count > 2 else { return nil }
        let path = String(text.dropFirst(2))
        // What is removed later is a group of this machine, whatever the file says.
        guard text.hasPrefix("1 ") || text.hasPrefix("2 "), path.hasSuffix("/\(Self.name(of: machine))") else {
            return nil
        }
        self.init(version: text.hasPrefix("1 ") ? .one : .two, path: path)
    }

    // MARK: Using

    /// Moves a process with its threads into the group.
    func add(_ process: Int32) throws(SystemError) { try ProcessFile.write("\(process)", to: "\(path)/cgroup.procs") }

    /// - Parameter weight: in `ProcessorShare.weightRange`.
    func set(weight: Int) throws(SystemError) {
        switch version {
        case .one:
            // 1024 is an ordinary process's; 2 is the least.
            try ProcessFile.write("\(max(2, weight * 1024 / 100))", to: "\(path)/cpu.shares")
        case .two: try ProcessFile.write("\(weight)", to: "\(path)/cpu.weight")
        }
    }

    /// - Parameter limit: in percent of one processor; nil for no limit.
    func set(limit: Int?) throws(SystemError) {
        let quota = limit.map { $0 * Self.period / 100 }
        switch version {
        case .one:
            try ProcessFile.write("\(Self.period)", to: "\(path)/cpu.cfs_period_us")
            try ProcessFile.write("\(quota ?? -1)", to: "\(path)/cpu.cfs_quota_us")
        case .two:
            let text = quota.map { "\($0)" } ?? "max"
            try ProcessFile.write("\(text) \(Self.period)", to: "\(path)/cpu.max")
        }
    }

    // MARK: Removing

    /// Removes the group of a machine whose processes have ended, or are about to.
    static func remove(of machine: Machine) {
        guard let group = ControlGroup(of: machine) else { return }
        for _ in 0..<patience.attempts {
            if Glibc.rmdir(group.path) == 0 || errno == ENOENT {
                unlink(machine.file(Machine.groupName))
                return
            }
            guard errno == EBUSY else { return }
            usleep(patience.pause)
        }
    }
}
