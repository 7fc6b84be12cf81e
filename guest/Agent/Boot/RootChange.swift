import Support

/// The change from the initial RAM disk to the root file system, which takes the kernel's file systems along.
struct RootChange: ~Copyable {
    /// The root of the initial RAM disk.
    private let old: Descriptor

    private init(from old: consuming Descriptor) { self.old = old }

    /// Enters the root file system.
    static func enter(_ root: [UInt8]) throws(Errno) -> RootChange {
        take("/proc", to: root)
        take("/sys", to: root)
        take("/dev", to: root)
        take("/run", to: root)
        let old = try FileAccess.open([UInt8]("/"), OpenFlags.read | OpenFlags.directory)
        try changeDirectory(root)
        try Mount.move([UInt8]("."), to: [UInt8]("/"))
        try checked([UInt8](".").withCString { system(SystemCall.chroot, Int($0)) })
        try changeDirectory([UInt8]("/"))
        return RootChange(from: old)
    }

    /// Removes what is left in the RAM disk: memory that nobody could free later.
    func removeOld() {
        guard isInMemory, let device = Self.device(old.number, [UInt8](".")) else { return }
        Self.removeContents(old.number, of: device, depth: 0)
    }

    @inline(never)
    private static func take(_ path: StaticString, to root: [UInt8]) {
        var target = root
        target.add(path)
        try? Mount.move([UInt8](path), to: target)
    }

    @inline(never)
    private static func changeDirectory(_ path: [UInt8]) throws(Errno) {
        try checked(path.withCString { system(SystemCall.chdir, Int($0)) })
    }

    /// Whether the old root is a ramfs or tmpfs.
    private var isInMemory: Bool {
        // struct statfs: 120 bytes, the type first.
        var facts = [Int](repeating: 0, count: 15)
        let number = Int(old.number)
        let result = facts.withUnsafeMutableBytes {
            system(SystemCall.fstatfs, number, Int(bitPattern: $0.baseAddress))
        }
        return result == 0 && (facts[0] == 0x8584_58F6 || facts[0] == 0x0102_1994)
    }

    /// The device of a name below a directory, and whether the name is a directory's.
    private static func device(_ directory: Int32, _ name: [UInt8]) -> (UInt32, UInt32, isDirectory: Bool)? {
        let facts = name.withCString { FileFacts.statx(Int(directory), Int($0), OpenFlags.symlinkNoFollow) }
        guard case .success(let facts) = facts else { return nil }
        return (facts.device_major, facts.device_minor, FileFacts.kind(facts.mode) == .directory)
    }

    /// Removes what is in a directory and on its device.
    private static func removeContents(_ directory: Int32, of device: (UInt32, UInt32, isDirectory: Bool), depth: Int) {
        guard depth < 16, let place = try? open(directory, [UInt8](".")) else { return }
        var names: [[UInt8]] = []
        _ = FileFacts.forEachName(in: place) { names.append($0) }
        for name in names {
            guard let facts = Self.device(place.number, name), facts.0 == device.0, facts.1 == device.1 else {
                continue
            }
            if facts.isDirectory, let inner = try? open(place.number, name) {
                removeContents(inner.number, of: device, depth: depth + 1)
            }
            let flags = facts.isDirectory ? OpenFlags.removeDirectory : 0
            _ = name.withCString { system(SystemCall.unlinkat, Int(place.number), Int($0), flags) }
        }
    }

    private static func open(_ directory: Int32, _ name: [UInt8]) throws(Errno) -> Descriptor {
        let flags = OpenFlags.read | OpenFlags.directory | OpenFlags.noFollow | OpenFlags.closeOnExec
        return try Descriptor(name.withCString { system(SystemCall.openat, Int(directory), Int($0), flags) })
    }
}
