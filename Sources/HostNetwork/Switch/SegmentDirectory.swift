internal import CLinux
internal import Glibc
internal import HostSystem

/// The directory in which the members of an Ethernet segment have their sockets. It belongs to one user and nobody else can read it.
struct SegmentDirectory {
    let path: String

    /// The directory of a user's segments.
    static var standardBase: String {
        let runtime = getenv("XDG_RUNTIME_DIR").map { String(cString: $0) } ?? ""
        return runtime.hasPrefix("/") ? "\(runtime)/aerie" : "/tmp/aerie-\(getuid())"
    }

    static func path(_ segment: String, in base: String) -> String { "\(base)/segments/\(segment)" }

    /// Makes the directory of the segment below `base` unless it is there.
    init(segment: String, base: String) throws(SystemError) {
        let segments = "\(base)/segments"
        path = Self.path(segment, in: base)
        for directory in [base, segments, path] { try Self.make(directory) }
    }

    /// A directory that somebody else made in /tmp is not used.
    private static func make(_ path: String) throws(SystemError) {
        if mkdir(path, 0o700) != 0, errno != EEXIST { throw .last("mkdir \(path)") }
        var status = stat()
        guard lstat(path, &status) == 0 else { throw .last("stat \(path)") }
        guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(), status.st_mode & 0o077 == 0 else {
            throw SystemError("\(path), which is not a private directory of this user", code: EACCES)
        }
    }

    /// The paths of all sockets.
    func members() -> [String] {
        directoryNames(path).filter { $0.hasSuffix(".socket") }.map { "\(path)/\($0)" }
    }
}
