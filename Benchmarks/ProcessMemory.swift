import Foundation

/// The memory of a process besides its guest's, in bytes (proc(5), /proc/PID/smaps).
struct ProcessMemory {
    /// Of the mapping that is the guest's memory: its proportional set.
    var guest = 0
    /// Everything that is mapped and present, whoever else has it.
    var resident = 0
    /// The same, divided by how many processes have it.
    var proportional = 0
    /// What only this process has, and has written to.
    var privateDirty = 0

    init() {}

    /// - Parameter guestSize: mappings from this size on are the guest's memory.
    init(of process: pid_t, guestSize: Int) throws {
        // Files of /proc have no size: they are read to their end.
        let file = try FileHandle(forReadingFrom: URL(filePath: "/proc/\(process)/smaps"))
        defer { try? file.close() }
        let text = String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
        var isGuest = false
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count >= 3, words[2] == "kB", let kilobytes = Int(words[1]) else { continue }
            let bytes = kilobytes << 10
            switch words[0] {
            // The first line of each mapping's.
            case "Size:": isGuest = bytes >= guestSize
            case "Pss:": if isGuest { guest += bytes } else { proportional += bytes }
            case "Rss:": if !isGuest { resident += bytes }
            case "Private_Dirty:": if !isGuest { privateDirty += bytes }
            default: break
            }
        }
    }
}
