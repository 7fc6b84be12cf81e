import Support

/// CONFIGURE: the guest's clock, randomness, names, root file system and network.
enum Identity {
    static func apply(_ request: ConfigureRequest) throws(AgentFailure) {
        if let time = request.time {
            try attempt("the clock") { () throws(Errno) in try Clock.setWallClock(time) }
        }
        if let entropy = request.entropy { try attempt("/dev/urandom") { () throws(Errno) in try reseed(entropy) } }
        if let machineID = request.machineID {
            try attempt("/etc/machine-id") { () throws(Errno) in
                try FileAccess.replace("/etc/machine-id", with: machineID + [10], mode: 0o444)
            }
        }
        if let hostname = request.hostname {
            try attempt("the host name") { () throws(Errno) in try setHostname(hostname) }
        }
        if !request.cardAddresses.isEmpty { try NetworkCards.setAddresses(request.cardAddresses) }
        if let network = request.network { try StaticNetwork.applyToRunningSystem(network) }
        if request.growsRoot { try growRoot() }
        if request.renewsNetwork { try renewNetwork() }
    }

    /// Gives a system that has no machine ID yet a random one, which it keeps (machine-id(5)).
    static func completeMachineID() {
        let place: StaticString = "/etc/machine-id"
        guard let old = FileAccess.contents(place, limit: 64)?.trimmed, old.isEmpty || old == "uninitialized",
            var identity = FileAccess.contents("/proc/sys/kernel/random/uuid", limit: 64)
        else { return }
        identity.removeAll { $0 == UInt8(ascii: "-") }
        try? FileAccess.replace(place, with: identity, mode: 0o444)
    }

    /// The guest's own programs for a new identity.
    static var hookCount: UInt64 {
        var count: UInt64 = 0
        FileFacts.forEachName(in: [UInt8](AgentLimits.hookDirectory)) { _ in count += 1 }
        return count
    }

    private static func attempt(_ subject: StaticString, _ body: () throws(Errno) -> Void) throws(AgentFailure) {
        do throws(Errno) {
            try body()
        } catch {
            throw AgentFailure(.file, [UInt8](subject), error)
        }
    }

    /// Adds the bytes to the kernel's pool as so many bits of entropy, and lets its generator begin anew with them.
    private static func reseed(_ entropy: [UInt8]) throws(Errno) {
        let device = try FileAccess.open([UInt8]("/dev/urandom"), OpenFlags.write)
        // rand_pool_info: int bits, int bytes, the bytes in words of four.
        var pool: [UInt8] = []
        pool.appendInteger(UInt32(entropy.count * 8))
        pool.appendInteger(UInt32(entropy.count))
        pool.append(contentsOf: entropy)
        while pool.count % 4 != 0 { pool.append(0) }
        let number = Int(device.number)
        try checked(
            pool.withUnsafeBytes { system(SystemCall.ioctl, number, 0x4008_5203, Int(bitPattern: $0.baseAddress)) })
        // RNDRESEEDCRNG
        try checked(system(SystemCall.ioctl, number, 0x5207))
    }

    private static func setHostname(_ name: [UInt8]) throws(Errno) {
        let old = FileAccess.contents("/proc/sys/kernel/hostname", limit: 256)?.trimmed ?? []
        try checked(
            name.withUnsafeBytes { system(SystemCall.sethostname, Int(bitPattern: $0.baseAddress), name.count) })
        try FileAccess.replace("/etc/hostname", with: name + [10])
        // The rest of a boot leaves it as it is (`/usr/lib/aerie/setup`).
        try? FileAccess.create("/run/aerie/named", with: [], mode: 0o644)
        // That the name resolves without a network is a convenience.
        try? nameHost(name, insteadOf: old)
    }

    /// Gives the name the line of the old one in /etc/hosts, or a new one.
    private static func nameHost(_ name: [UInt8], insteadOf old: [UInt8]) throws(Errno) {
        let address = [UInt8]("127.0.1.1")
        guard FileAccess.exists("/etc/hosts") else { return }
        var isNamed = false
        func keeps(_ line: [UInt8]) -> Bool {
            let words = line.words
            guard words != [address, old] else { return false }
            if words.dropFirst().contains(name) { isNamed = true }
            return true
        }
        try HostsFile.change(
            [UInt8]("/etc/hosts"), limit: 65_536, keeps: keeps, further: { isNamed ? [] : [address + [9] + name] })
    }

    /// Grows an ext4 file system at `/` to the size of its block device.
    private static func growRoot() throws(AgentFailure) {
        let root = [UInt8]("/")
        do throws(Errno) {
            let directory = try FileAccess.open(root, OpenFlags.read | OpenFlags.directory)
            let status = try FileFacts.statx(root, followsLinks: true)
            guard status.device_major != 0 else { throw Errno.notSupported }
            var path = [UInt8]("/sys/dev/block/")
            path.add(number: UInt64(status.device_major))
            path.append(UInt8(ascii: ":"))
            path.add(number: UInt64(status.device_minor))
            path.add("/size")
            guard let sectors = FileAccess.contents(path, limit: 64)?.trimmed.number else { throw Errno.noEntry }
            // statfs: u64 type, u64 size of a block, …
            var facts = [UInt64](repeating: 0, count: 15)
            try checked(
                facts.withUnsafeMutableBytes { facts in
                    root.withCString { system(SystemCall.statfs, Int($0), Int(bitPattern: facts.baseAddress)) }
                })
            guard facts[1] >= 512, facts[1] <= 65_536 else { throw Errno.notSupported }
            var blocks = sectors / (facts[1] / 512)
            // EXT4_IOC_RESIZE_FS
            try checked(
                withUnsafeMutablePointer(to: &blocks) {
                    system(SystemCall.ioctl, Int(directory.number), 0x4008_6610, Int(bitPattern: $0))
                })
        } catch {
            throw AgentFailure(.file, root, error)
        }
    }

    /// Lets every DHCP client of busybox ask for its address again.
    private static func renewNetwork() throws(AgentFailure) {
        var found = false
        FileFacts.forEachName(in: [UInt8]("/proc")) { name in
            guard let number = name.number, number <= UInt64(Int32.max) else { return }
            var path = [UInt8]("/proc/")
            path.add(name)
            path.add("/cmdline")
            let words = (FileAccess.contents(path, limit: 4096) ?? []).parts(separatedBy: 0)
            guard words.prefix(2).contains(where: { $0 == "udhcpc" || isBelowDirectory($0) }) else { return }
            found = true
            // SIGUSR2 gives the address back, SIGUSR1 asks for one.
            Process.signal(Int32(number), Process.Signal.user2)
            Process.signal(Int32(number), Process.Signal.user1)
        }
        guard !found else { return }
        throw AgentFailure(
            .unsupported, text: [UInt8]("renewing the network: the guest has no DHCP client of busybox (udhcpc)"))
    }

    private static func isBelowDirectory(_ word: [UInt8]) -> Bool {
        guard let slash = word.lastIndex(of: UInt8(ascii: "/")) else { return false }
        return Array(word[(slash + 1)...]) == "udhcpc"
    }
}
