/// Owns a file descriptor.
struct Descriptor: ~Copyable {
    let number: Int32

    /// Takes over a descriptor that nothing else owns.
    init(owning number: Int32) { self.number = number }

    init(_ result: Int) throws(Errno) { number = Int32(try checked(result)) }

    deinit { _ = system(SystemCall.close, Int(number)) }

    func read(_ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
        system(SystemCall.read, Int(number), Int(bitPattern: buffer), count)
    }

    func write(_ buffer: UnsafeRawPointer, _ count: Int) -> Int {
        system(SystemCall.write, Int(number), Int(bitPattern: buffer), count)
    }

    /// A pipe whose ends are closed by exec.
    static func pipe(nonblocking: Bool) throws(Errno) -> Pipe {
        var ends: (Int32, Int32) = (-1, -1)
        let flags = OpenFlags.closeOnExec | (nonblocking ? OpenFlags.nonblocking : 0)
        let result = withUnsafeMutablePointer(to: &ends) { system(SystemCall.pipe2, Int(bitPattern: $0), flags) }
        try checked(result)
        return Pipe(reading: Descriptor(owning: ends.0), writing: Descriptor(owning: ends.1))
    }

    func setNonblocking() {
        // F_GETFL
        let flags = system(SystemCall.fcntl, Int(number), 3)
        // F_SETFL
        _ = system(SystemCall.fcntl, Int(number), 4, flags | OpenFlags.nonblocking)
    }
}

extension Optional where Wrapped == Descriptor {
    /// The descriptor's number, or nil without one. (Inlined, it makes the compiler of Swift 6.3 fail.)
    var number: Int32? {
        @inline(never)
        get {
            switch self {
            case .some(let descriptor): descriptor.number
            case nil: nil
            }
        }
    }
}

/// Both ends of a pipe.
struct Pipe: ~Copyable {
    let reading: Descriptor
    let writing: Descriptor

    consuming func takeReading() -> Descriptor { reading }

    consuming func takeWriting() -> Descriptor { writing }

    /// Lets the pipe hold 256 KB, so that its ends meet less often. Without the right to it, the pipe stays as it is.
    /// (F_SETPIPE_SZ)
    func enlarge() { _ = system(SystemCall.fcntl, Int(writing.number), 1031, 262_144) }
}

/// Flags of open and of the calls that follow it.
enum OpenFlags {
    static let read = 0
    static let write = 1
    static let readWrite = 2
    static let create = 0o100
    static let exclusive = 0o200
    static let noTerminal = 0o400
    static let truncate = 0o1000
    static let nonblocking = 0o4000
    static let directory = 0o200000
    static let noFollow = 0o400000
    static let closeOnExec = 0o2000000
    static let path = 0o10000000

    static let here = -100  // AT_FDCWD
    static let symlinkNoFollow = 0x100  // AT_SYMLINK_NOFOLLOW
    static let removeDirectory = 0x200  // AT_REMOVEDIR
    static let emptyPath = 0x1000  // AT_EMPTY_PATH
}
