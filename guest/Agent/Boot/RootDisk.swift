import Support

/// The disk with the root file system.
enum RootDisk {
    /// Where the root file system is before it becomes the root.
    static let place = [UInt8]("/root")

    /// Mounts the root disk at `place`.
    ///
    /// - Returns: what is wrong, or nil.
    static func mount(_ words: BootWords) -> [UInt8]? {
        guard let device = wait(for: words.root) else { return subject(words.root, " did not appear") }
        Mount.makeDirectory(place)
        if words.hasOverlay || isReadOnly(device) { return mountOverlay(device, words) }
        var options = [UInt8](words.isReadOnly ? "ro," : "rw,")
        options.add(words.options)
        return mount(device, at: place, options)
    }

    /// `the root disk DEVICEMESSAGE`.
    private static func subject(_ device: [UInt8], _ message: StaticString) -> [UInt8] {
        var text = [UInt8]("the root disk ")
        text.append(contentsOf: device.prefix(256))
        text.add(message)
        return text
    }

    private static func mount(_ device: [UInt8], at target: [UInt8], _ options: [UInt8]) -> [UInt8]? {
        do throws(Errno) {
            try Mount.attach(device, at: target, type: "ext4", options: options)
            return nil
        } catch {
            var text = subject(device, " cannot be mounted: ")
            text.add(error.text)
            return text
        }
    }

    /// A file system in memory over the disk's, which stays as it is.
    private static func mountOverlay(_ device: [UInt8], _ words: BootWords) -> [UInt8]? {
        KernelModules.load("overlay")
        Mount.makeDirectory("/run/aerie/lower")
        Mount.makeDirectory("/run/aerie/upper")
        var options = [UInt8]("ro,")
        options.add(words.options)
        if let failure = mount(device, at: [UInt8]("/run/aerie/lower"), options) { return failure }
        Mount.attach("changes", at: "/run/aerie/upper", type: "tmpfs", options: "mode=0755")
        Mount.makeDirectory("/run/aerie/upper/files")
        Mount.makeDirectory("/run/aerie/upper/work")
        do throws(Errno) {
            let layers: StaticString =
                "lowerdir=/run/aerie/lower,upperdir=/run/aerie/upper/files,workdir=/run/aerie/upper/work"
            try Mount.attach([UInt8]("root"), at: place, type: "overlay", options: [UInt8](layers))
            return nil
        } catch {
            var text = [UInt8]("the root disk's overlay cannot be mounted: ")
            text.add(error.text)
            return text
        }
    }

    // MARK: The device

    /// Devices appear while their drivers look for them: ten seconds at most.
    private static func wait(for name: [UInt8]) -> [UInt8]? {
        var pause = 1
        var waited = 0
        while true {
            if let device = find(name) { return device }
            guard waited < 10_000 else { return nil }
            Clock.sleep(milliseconds: pause)
            waited += pause
            pause = min(pause * 2, 100)
        }
    }

    private static func find(_ name: [UInt8]) -> [UInt8]? {
        if name.starts(withText: "LABEL=") {
            return FileSystemName.label(Array(name[6...])).device
        }
        if name.starts(withText: "UUID=") {
            return FileSystemName.identifier(Array(name[5...])).device
        }
        guard let facts = try? FileFacts.statx(name, followsLinks: true) else { return nil }
        return FileFacts.kind(facts.mode) == .blockDevice ? name : nil
    }

    private static func isReadOnly(_ device: [UInt8]) -> Bool {
        let start = device.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
        var path = [UInt8]("/sys/class/block/")
        path.append(contentsOf: device[start...])
        path.add("/ro")
        return FileAccess.contents(path, limit: 8)?.first == UInt8(ascii: "1")
    }
}

/// What an ext4 file system is called in its superblock (Linux, Documentation/filesystems/ext4/super.rst).
enum FileSystemName {
    case label([UInt8])
    /// Hexadecimal digits; signs in between do not count.
    case identifier([UInt8])

    private static let superblock = 1024

    /// The disk or partition with a file system of this name.
    var device: [UInt8]? {
        var found: [UInt8]?
        FileFacts.forEachName(in: [UInt8]("/sys/class/block")) { name in
            guard found == nil else { return }
            var path = [UInt8]("/dev/")
            path.add(name)
            if let start = FileAccess.contents(path, limit: Self.superblock + 256), matches(start) { found = path }
        }
        return found
    }

    private func matches(_ start: [UInt8]) -> Bool {
        let base = Self.superblock
        guard start.integer(at: base + 56, as: UInt16.self) == 0xEF53, start.count >= base + 136 else { return false }
        switch self {
        case .label(let name):
            let text = start[(base + 120)..<(base + 136)]
            return Array(text[..<(text.firstIndex(of: 0) ?? text.endIndex)]) == name
        case .identifier(let text):
            return Self.bytes(text) == Array(start[(base + 104)..<(base + 120)])
        }
    }

    private static func bytes(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var high: UInt8?
        for character in text {
            guard let digit = Hex.digit(character) else { continue }
            if let upper = high {
                result.append(upper << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return result
    }
}
