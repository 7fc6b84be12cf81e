import Foundation

/// A process's memory in bytes, separate for guest memory and the rest (proc(5), /proc/PID/smaps).
struct ProcessMemory {
    /// Proportional set size (Pss) of guest memory.
    var guest = 0
    /// Resident set size (Rss) of the rest: present pages, shared or not.
    var resident = 0
    /// Proportional set size (Pss) of the rest: each page divided by the number of processes that share it.
    var proportional = 0
    /// Private dirty pages of the rest.
    var privateDirty = 0
    /// All private pages of the rest, those of files included, and those of the translator's code cache, which is mapped twice.
    var privateMemory = 0

    init() {}

    mutating func add(_ other: ProcessMemory) {
        guest += other.guest
        resident += other.resident
        proportional += other.proportional
        privateDirty += other.privateDirty
        privateMemory += other.privateMemory
    }

    /// - Parameter guestSize: mappings of at least this size are guest memory, and so are those of the file of guest memory.
    init(of process: pid_t, guestSize: Int) throws {
        // Files in /proc report size 0, so they are read until end of file.
        let file = try FileHandle(forReadingFrom: URL(filePath: "/proc/\(process)/smaps"))
        defer { try? file.close() }
        let text = String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
        var isGuest = false
        var isGuestFile = false
        var isCode = false
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count >= 5, words[0].contains("-") {
                isGuestFile = line.contains("memfd:guest-memory")
                isCode = line.contains("memfd:code-cache")
            }
            guard words.count >= 3, words[2] == "kB", let kilobytes = Int(words[1]) else { continue }
            let bytes = kilobytes << 10
            switch words[0] {
            // The first line of a mapping.
            case "Size:": isGuest = isGuestFile || bytes >= guestSize
            case "Pss:":
                if isGuest { guest += bytes } else { proportional += bytes }
                if isCode { privateMemory += bytes }
            case "Rss:": if !isGuest { resident += bytes }
            case "Private_Dirty:":
                if !isGuest {
                    privateDirty += bytes
                    if !isCode { privateMemory += bytes }
                }
            case "Private_Clean:": if !isGuest, !isCode { privateMemory += bytes }
            default: break
            }
        }
    }
}
