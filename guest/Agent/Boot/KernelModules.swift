/// The kernel's modules in the initial RAM disk: object files in `/lib/modules`, and lists of them in the order in which they are loaded.
enum KernelModules {
    /// What the host gave the guest besides disks.
    struct Devices {
        fileprivate(set) var hasNetwork = false
        fileprivate(set) var hasSockets = false
        fileprivate(set) var hasSharedFolders = false
    }

    /// Loads the modules of a list. A module that the kernel refuses, such as one that it has already, is passed over.
    ///
    /// - Returns: whether there is such a list.
    @discardableResult
    static func load(_ list: StaticString) -> Bool {
        guard let files = open(list) else { return false }
        load(files)
        return true
    }

    /// The open modules of a list; nil without such a list. They can be loaded when the initial RAM disk is gone.
    static func open(_ list: StaticString) -> [Int32]? {
        guard let names = FileAccess.contents(path(of: [UInt8](list))) else { return nil }
        var files: [Int32] = []
        for name in names.words {
            var path = path(of: name)
            path.add(".ko")
            let flags = OpenFlags.read | OpenFlags.closeOnExec
            let number = path.withCString { system(SystemCall.openat, OpenFlags.here, Int($0), flags) }
            if number >= 0 { files.append(Int32(number)) }
        }
        return files
    }

    /// Loads modules and closes their files.
    static func load(_ files: [Int32]) {
        let parameters: StaticString = ""
        for file in files {
            _ = system(SystemCall.finit_module, Int(file), Int(parameters.utf8Start), 0)
            _ = system(SystemCall.close, Int(file))
        }
    }

    private static func path(of name: [UInt8]) -> [UInt8] {
        var path = [UInt8]("/lib/modules/")
        path.add(name)
        return path
    }

    static var devices: Devices {
        var found = Devices()
        FileFacts.forEachName(in: [UInt8]("/sys/bus/virtio/devices")) { name in
            var path = [UInt8]("/sys/bus/virtio/devices/")
            path.add(name)
            path.add("/device")
            let kind = FileAccess.contents(path, limit: 64)?.trimmed ?? []
            // virtio 1.2, section 5.
            if kind == "0x0001" { found.hasNetwork = true }
            if kind == "0x0013" { found.hasSockets = true }
            if kind == "0x001a" { found.hasSharedFolders = true }
        }
        return found
    }
}
