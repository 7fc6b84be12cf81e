internal import Glibc

/// Where this host's control groups for processors are (cgroups(7)), and which of them a process is in.
struct ControlGroupTree: Equatable, Sendable {
    enum Version: Equatable, Sendable {
        case one, two
    }

    let version: Version
    /// The directory in which the hierarchy is mounted.
    let root: String
    /// The directory of the process's own group, in `root`.
    let own: String

    /// The hierarchy of the controller `cpu`: version 1 if it has the controller, else version 2.
    ///
    /// - Parameters:
    ///   - mounts: the text of /proc/PID/mounts.
    ///   - membership: the text of /proc/PID/cgroup.
    init?(mounts: String, membership: String) {
        var roots: [Version: String] = [:]
        for line in mounts.split(separator: Character("\n")) {
            // device, directory, type, options
            let words = line.split(separator: Character(" "))
            guard words.count >= 4 else { continue }
            // Names with spaces are written with backslashes; nobody mounts control groups there.
            if words[2] == "cgroup", words[3].split(separator: Character(",")).contains("cpu") {
                roots[.one] = roots[.one] ?? String(words[1])
            } else if words[2] == "cgroup2" {
                roots[.two] = roots[.two] ?? String(words[1])
            }
        }
        guard let version: Version = roots[.one] != nil ? .one : roots[.two] != nil ? .two : nil,
            let root = roots[version]
        else { return nil }
        self.version = version
        self.root = root
        for line in membership.split(separator: Character("\n")) {
            // number, controllers, path
            let words = line.split(separator: Character(":"), maxSplits: 2, omittingEmptySubsequences: false)
            guard words.count == 3 else { continue }
            let isMeant = version == .one ? words[1].split(separator: Character(",")).contains("cpu") : words[0] == "0"
            guard isMeant, words[2].hasPrefix("/"), !words[2].hasPrefix("/..") else { continue }
            own = words[2] == "/" ? root : root + words[2]
            return
        }
        return nil
    }

    /// The hierarchy of this host, for a process.
    init?(of process: Int32) {
        guard let mounts = ProcessFile.text("/proc/self/mounts"),
            let membership = ProcessFile.text("/proc/\(process)/cgroup")
        else { return nil }
        self.init(mounts: mounts, membership: membership)
    }

    /// The directories in which a group beside the process's own may be made, the best one first.
    ///
    /// Version 1 lets a group have processes and groups. In version 2 only the root may have both, so that the group's parent is an ancestor
    /// which hands the controller on: the nearest one that this user may change.
    var parents: [String] {
        switch version {
        case .one: return [own]
        case .two:
            var result = [own]
            var path = own
            while path != root, let end = path.lastIndex(of: Character("/")) {
                path = String(path[..<end])
                result.append(path)
            }
            return result
        }
    }
}
