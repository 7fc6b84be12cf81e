import Support

/// What the agent tells of its guest.
enum GuestFacts {
    /// The 16 bytes of the kernel's boot id; zeros where the guest has none.
    static var bootID: [UInt8] {
        let text = FileAccess.contents("/proc/sys/kernel/random/boot_id", limit: 64) ?? []
        let digits = text.compactMap { Hex.digit($0) }
        guard digits.count == 32 else { return [UInt8](repeating: 0, count: 16) }
        return (0..<16).map { digits[2 * $0] << 4 | digits[2 * $0 + 1] }
    }

    static func information() -> GuestInformation {
        var information = GuestInformation()
        information.agentVersion = [UInt8](AgentOptions.version)
        var name = aerie_system_name()
        _ = withUnsafeMutablePointer(to: &name) { system(SystemCall.uname, Int(bitPattern: $0)) }
        information.kernelRelease = withUnsafeBytes(of: &name.release) { text($0) }
        information.hostname = withUnsafeBytes(of: &name.node) { text($0) }
        information.bootID = bootID
        information.uptime = Clock.uptime
        (information.memoryTotal, information.memoryAvailable) = memory()
        information.addresses = Network.addresses()
        let release = FileAccess.contents("/etc/os-release", limit: 65_536) ?? []
        information.systemID = value(of: "ID", in: release)
        information.systemVersion = value(of: "VERSION_ID", in: release)
        information.outOfMemoryKills = number(behind: "oom_kill ", in: FileAccess.contents("/proc/vmstat") ?? [])
        return information
    }

    /// Bytes.
    static func memory() -> (total: UInt64, available: UInt64) {
        let text = FileAccess.contents("/proc/meminfo", limit: 65_536) ?? []
        let available = number(behind: "MemAvailable:", in: text) << 10
        return (number(behind: "MemTotal:", in: text) << 10, available)
    }

    private static func text(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        Array(bytes[..<(bytes.firstIndex(of: 0) ?? bytes.count)])
    }

    /// The number behind a word at the beginning of a line, or zero.
    private static func number(behind word: StaticString, in text: [UInt8]) -> UInt64 {
        for line in text.parts(separatedBy: 10) where line.starts(withText: word) {
            let words = Array(line[word.utf8CodeUnitCount...]).words
            // 54 bits, so that kilobytes fit.
            return min(words.first?.number ?? 0, 1 << 53)
        }
        return 0
    }

    /// The value of a variable in os-release, without quotes; at most 256 bytes.
    private static func value(of name: StaticString, in text: [UInt8]) -> [UInt8] {
        for line in text.parts(separatedBy: 10) where line.starts(withText: name) {
            let rest = line[name.utf8CodeUnitCount...]
            guard rest.first == UInt8(ascii: "=") else { continue }
            let quotes: [UInt8] = [UInt8(ascii: "\""), UInt8(ascii: "'"), 0]
            return Array(rest.dropFirst().filter { !quotes.contains($0) }.prefix(256))
        }
        return []
    }
}
