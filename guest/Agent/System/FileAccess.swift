import Support

/// Small files, read and written whole: those of /proc, /sys and /etc.
enum FileAccess {
    @inline(never)
    static func open(_ path: [UInt8], _ flags: Int, mode: Int = 0) throws(Errno) -> Descriptor {
        let result = path.withCString {
            system(SystemCall.openat, OpenFlags.here, Int($0), flags | OpenFlags.closeOnExec, mode)
        }
        return try Descriptor(result)
    }

    /// The file's bytes up to `limit`, or nil if it cannot be read.
    @inline(never)
    static func contents(_ path: [UInt8], limit: Int = 1 << 20) -> [UInt8]? {
        // Nothing here waits for a FIFO's writer.
        guard let file = try? open(path, OpenFlags.read | OpenFlags.nonblocking) else { return nil }
        return contents(file, limit: limit)
    }

    @inline(never)
    static func contents(_ path: StaticString, limit: Int = 1 << 20) -> [UInt8]? {
        contents([UInt8](path), limit: limit)
    }

    static func contents(_ file: borrowing Descriptor, limit: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < limit {
            let piece = min(4096, limit - bytes.count)
            var count = 0
            let part = [UInt8](unsafeUninitializedCapacity: piece) { buffer, used in
                count = file.read(UnsafeMutableRawPointer(buffer.baseAddress.unsafelyUnwrapped), piece)
                used = max(count, 0)
            }
            if count < 0 { return nil }
            if count == 0 { break }
            bytes.append(contentsOf: part)
        }
        return bytes
    }

    @inline(never)
    static func write(_ bytes: [UInt8], to path: StaticString) throws(Errno) {
        let file = try open([UInt8](path), OpenFlags.write)
        try write(bytes, to: file)
    }

    static func write(_ bytes: [UInt8], to file: borrowing Descriptor) throws(Errno) {
        var position = 0
        while position < bytes.count {
            let result = bytes.withUnsafeBytes {
                file.write($0.baseAddress.unsafelyUnwrapped + position, bytes.count - position)
            }
            position += try checked(result)
        }
    }

    /// Makes a file, or gives it other contents.
    @inline(never)
    static func create(
        _ path: StaticString, with bytes: [UInt8], mode: Int, followsLinks: Bool = false
    ) throws(Errno) {
        let flags =
            OpenFlags.write | OpenFlags.create | OpenFlags.truncate | (followsLinks ? 0 : OpenFlags.noFollow)
        let file = try open([UInt8](path), flags, mode: mode)
        try write(bytes, to: file)
    }

    /// Gives a small file other contents. A regular file is written in its place: one page for the guest's file system, where a new file would be
    /// many. Anything else is replaced by a new file, which has its whole contents from the start.
    static func replace(_ path: StaticString, with bytes: [UInt8], mode: Int = 0o644) throws(Errno) {
        try replace([UInt8](path), with: bytes, mode: mode)
    }

    static func replace(_ path: [UInt8], with bytes: [UInt8], mode: Int = 0o644) throws(Errno) {
        if try rewrite(path, with: bytes) { return }
        var temporary = path
        temporary.add(".aerie")
        let file = try open(
            temporary, OpenFlags.write | OpenFlags.create | OpenFlags.truncate | OpenFlags.noFollow, mode: mode)
        try write(bytes, to: file)
        let result = temporary.withCString { from in
            path.withCString { to in
                system(SystemCall.renameat2, OpenFlags.here, Int(from), OpenFlags.here, Int(to), 0)
            }
        }
        try checked(result)
    }

    /// - Returns: whether there was a regular file that is not empty.
    private static func rewrite(_ path: [UInt8], with bytes: [UInt8]) throws(Errno) -> Bool {
        guard let status = try? FileFacts.statx(path, followsLinks: false), status.mode & 0o170000 == 0o100000,
            status.size > 0, let file = try? open(path, OpenFlags.write | OpenFlags.noFollow)
        else { return false }
        try write(bytes, to: file)
        if status.size > UInt64(bytes.count) {
            try checked(system(SystemCall.ftruncate, Int(file.number), bytes.count))
        }
        return true
    }

    @inline(never)
    static func exists(_ path: StaticString) -> Bool {
        [UInt8](path).withCString { system(SystemCall.faccessat, OpenFlags.here, Int($0), 0) } == 0
    }
}
