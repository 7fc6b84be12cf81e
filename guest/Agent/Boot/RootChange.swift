import Support

/// The change from the initial RAM disk to the root file system, which takes the kernel's file systems along.
enum RootChange {
    /// - Returns: what is wrong, or nil.
    static func enter(_ root: [UInt8]) -> Errno? {
        take("/proc", to: root)
        take("/sys", to: root)
        take("/dev", to: root)
        take("/run", to: root)
        // What is left in the RAM disk is memory that nobody could free later.
        if isInMemory, let facts = try? FileFacts.statx([UInt8]("/"), followsLinks: true) {
            removeContents([UInt8]("/"), of: (facts.device_major, facts.device_minor), depth: 0)
        }
        do throws(Errno) {
            try changeDirectory(root)
            try Mount.move([UInt8]("."), to: [UInt8]("/"))
            try checked([UInt8](".").withCString { system(SystemCall.chroot, Int($0)) })
            try changeDirectory([UInt8]("/"))
            return nil
        } catch { return error }
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

    /// Whether the present root is a ramfs or tmpfs.
    private static var isInMemory: Bool {
        // struct statfs: 120 bytes, the type first.
        var facts = [Int](repeating: 0, count: 15)
        let result = facts.withUnsafeMutableBytes { buffer in
            [UInt8]("/").withCString { system(SystemCall.statfs, Int($0), Int(bitPattern: buffer.baseAddress)) }
        }
        return result == 0 && (facts[0] == 0x8584_58F6 || facts[0] == 0x0102_1994)
    }

    /// Removes what is in a directory and on its device.
    private static func removeContents(_ directory: [UInt8], of device: (UInt32, UInt32), depth: Int) {
        guard depth < 16 else { return }
        var names: [[UInt8]] = []
        FileFacts.forEachName(in: directory) { names.append($0) }
        for name in names {
            var path = directory
            if depth > 0 { path.append(UInt8(ascii: "/")) }
            path.add(name)
            guard let facts = try? FileFacts.statx(path, followsLinks: false),
                facts.device_major == device.0, facts.device_minor == device.1
            else { continue }
            let isDirectory = FileFacts.kind(facts.mode) == .directory
            if isDirectory { removeContents(path, of: device, depth: depth + 1) }
            _ = path.withCString {
                system(SystemCall.unlinkat, OpenFlags.here, Int($0), isDirectory ? OpenFlags.removeDirectory : 0)
            }
        }
    }
}
