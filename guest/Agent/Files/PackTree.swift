import Support

/// The directories that a GET is in, from the outermost on, and the files with several names that it has met.
struct PackTree {
    struct Name {
        let directory: Int32
        let name: [UInt8]
        /// The member's path.
        let path: [UInt8]
    }

    /// An open directory and the names that were read from it.
    private final class Level {
        let descriptor: Descriptor
        let path: [UInt8]
        var entries: [UInt8] = []
        var position = 0

        init(_ descriptor: consuming Descriptor, _ path: [UInt8]) {
            self.descriptor = descriptor
            self.path = path
        }

        /// The next name but `.` and `..`, or nil at the end.
        func next() -> [UInt8]? {
            while true {
                if position >= entries.count, !fill() { return nil }
                // u64 inode, u64 offset, u16 length, u8 type, the name and a zero.
                let length = Int(entries.integer(at: position + 16, as: UInt16.self) ?? 0)
                guard length >= 20, length <= entries.count - position else { return nil }
                let text = entries[(position + 19)..<(position + length)]
                position += length
                let name = Array(text[..<(text.firstIndex(of: 0) ?? text.endIndex)])
                if !(name == "."), !(name == "..") { return name }
            }
        }

        private func fill() -> Bool {
            var count = 0
            let number = Int(descriptor.number)
            entries = [UInt8](unsafeUninitializedCapacity: 8192) { buffer, used in
                count = system(SystemCall.getdents64, number, Int(bitPattern: buffer.baseAddress), 8192)
                used = max(count, 0)
            }
            position = 0
            return count > 0
        }
    }

    private struct Linked {
        let device: UInt64
        let inode: UInt64
        let path: [UInt8]
    }

    private var levels: [Level] = []
    private var linked: [Linked] = []

    private static let deepest = 256
    /// Files with several names beyond these are packed once for each name.
    private static let mostLinked = 4096

    mutating func next() -> Name? {
        while let level = levels.last {
            if let name = level.next() {
                return Name(
                    directory: level.descriptor.number, name: name, path: level.path + [UInt8(ascii: "/")] + name)
            }
            levels.removeLast()
        }
        return nil
    }

    mutating func enter(_ directory: Int32, _ name: [UInt8], _ path: [UInt8], _ flags: Int) throws(Errno) {
        // A guest's programs choose depth and names: both are bounded, and so is the memory.
        guard levels.count < Self.deepest, path.count <= AgentLimits.path else { throw Errno.nameTooLong }
        guard aerie_heap_available() > AgentOptions.heapReserve else { throw Errno.noMemory }
        let noFollow = flags == 0 ? 0 : OpenFlags.noFollow
        let result = name.withCString {
            system(
                SystemCall.openat, Int(directory), Int($0),
                OpenFlags.read | OpenFlags.directory | OpenFlags.closeOnExec | noFollow)
        }
        levels.append(Level(try Descriptor(result), path))
    }

    mutating func leaveAll() {
        levels = []
        linked = []
    }

    /// The member that has the same file already, or nil, after which the given path is it.
    mutating func firstName(of status: aerie_statx, _ path: [UInt8]) -> [UInt8]? {
        let device = UInt64(status.device_major) << 32 | UInt64(status.device_minor)
        for file in linked where file.inode == status.inode && file.device == device { return file.path }
        if linked.count < Self.mostLinked, aerie_heap_available() > 2 * AgentOptions.heapReserve {
            linked.append(Linked(device: device, inode: status.inode, path: path))
        }
        return nil
    }
}
