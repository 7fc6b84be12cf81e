import Support

/// Mounts (mount(2)), with options as mount(8) takes them.
enum Mount {
    /// - Parameter options: words between commas.
    static func attach(
        _ source: [UInt8], at target: [UInt8], type: StaticString, options: [UInt8] = []
    ) throws(Errno) {
        let (flags, data) = parse(options)
        try call(source, target, Int(type.utf8Start), flags, data)
    }

    /// As above, for what always has the same names. What fails shows by what is absent.
    @inline(never)
    static func attach(
        _ source: StaticString, at target: StaticString, type: StaticString, options: StaticString = ""
    ) {
        try? attach([UInt8](source), at: [UInt8](target), type: type, options: [UInt8](options))
    }

    /// Moves a mount with everything below it; the target is made where it is absent.
    static func move(_ source: [UInt8], to target: [UInt8]) throws(Errno) {
        makeDirectory(target)
        try call(source, target, 0, 0x2000, [])  // MS_MOVE
    }

    /// Lets a file or a directory appear at the target as well.
    static func bind(_ source: [UInt8], at target: [UInt8]) throws(Errno) {
        try call(source, target, 0, 0x1000, [])  // MS_BIND
    }

    @inline(never)
    static func makeDirectory(_ path: StaticString) { makeDirectory([UInt8](path)) }

    @inline(never)
    static func makeDirectory(_ path: [UInt8], mode: Int = 0o755) {
        _ = path.withCString { system(SystemCall.mkdirat, OpenFlags.here, Int($0), mode) }
    }

    @inline(never)
    private static func call(_ source: [UInt8], _ target: [UInt8], _ type: Int, _ flags: Int, _ data: [UInt8])
        throws(Errno)
    {
        let result = source.withCString { source in
            target.withCString { target in
                data.withCString { system(SystemCall.mount, Int(source), Int(target), type, flags, Int($0)) }
            }
        }
        try checked(result)
    }

    /// The kernel's flags of the options that have one, and the rest, which is the file system's.
    private static func parse(_ options: [UInt8]) -> (flags: Int, data: [UInt8]) {
        var flags = 0
        var data: [UInt8] = []
        for option in options.parts(separatedBy: UInt8(ascii: ",")) where !option.isEmpty {
            if let flag = flag(option) {
                flags |= flag
            } else if isCleared(option) {
                continue
            } else {
                if !data.isEmpty { data.append(UInt8(ascii: ",")) }
                data.add(option)
            }
        }
        return (flags, data)
    }

    @inline(never)
    private static func flag(_ option: [UInt8]) -> Int? {
        if option == "ro" { return 1 }
        if option == "nosuid" { return 2 }
        if option == "nodev" { return 4 }
        if option == "noexec" { return 8 }
        if option == "sync" { return 16 }
        if option == "dirsync" { return 128 }
        if option == "noatime" { return 1024 }
        if option == "nodiratime" { return 2048 }
        if option == "relatime" { return 1 << 21 }
        if option == "strictatime" { return 1 << 24 }
        if option == "lazytime" { return 1 << 25 }
        return nil
    }

    /// Options for what is so without a flag.
    private static func isCleared(_ option: [UInt8]) -> Bool {
        option == "rw" || option == "suid" || option == "dev" || option == "exec" || option == "async"
            || option == "defaults" || option == "atime" || option == "diratime" || option == "norelatime"
            || option == "silent" || option == "loud" || option == "nofail" || option == "_netdev"
    }
}
