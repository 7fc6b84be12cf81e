/// The kernel's modules in the initial RAM disk: object files in `/lib/modules`, and lists of them in the order in which they are loaded.
enum KernelModules {
    /// Loads the modules of a list. A module that the kernel refuses, such as one that it has already, is passed over.
    ///
    /// - Returns: whether there is such a list.
    @discardableResult
    static func load(_ list: StaticString) -> Bool {
        guard let names = FileAccess.contents(path(of: [UInt8](list))) else { return false }
        for name in names.words {
            var path = path(of: name)
            path.add(".ko")
            guard let file = try? FileAccess.open(path, OpenFlags.read) else { continue }
            _ = [UInt8]().withCString { system(SystemCall.finit_module, Int(file.number), Int($0), 0) }
        }
        return true
    }

    private static func path(of name: [UInt8]) -> [UInt8] {
        var path = [UInt8]("/lib/modules/")
        path.add(name)
        return path
    }

    /// Loads the drivers of what the host gave the guest besides disks: network cards, sockets, shared folders.
    ///
    /// - Returns: whether there is a driver of sockets for a device.
    static func loadForDevices() -> Bool {
        var found: (network: Bool, socket: Bool, share: Bool) = (false, false, false)
        FileFacts.forEachName(in: [UInt8]("/sys/bus/virtio/devices")) { name in
            var path = [UInt8]("/sys/bus/virtio/devices/")
            path.add(name)
            path.add("/device")
            let kind = FileAccess.contents(path, limit: 64)?.trimmed ?? []
            // virtio 1.2, section 5.
            if kind == "0x0001" { found.network = true }
            if kind == "0x0013" { found.socket = true }
            if kind == "0x001a" { found.share = true }
        }
        if found.network { load("network") }
        if found.share { load("share") }
        return found.socket && load("socket")
    }
}
