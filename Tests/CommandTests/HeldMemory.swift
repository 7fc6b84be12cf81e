import Foundation

/// What processes of machines hold of the host's memory besides their guests', in bytes (proc(5), /proc/PID/smaps).
struct HeldMemory: CustomStringConvertible {
    /// Pages that no other process has; of the translator's code cache, which is mapped twice, the proportional set size (Pss).
    private(set) var exclusive = 0
    /// The part of `exclusive` that does not come from a file: it is the same however many machines run.
    private(set) var written = 0
    /// Present pages of the program's code, shared or not.
    private(set) var program = 0

    var description: String {
        "\(exclusive) bytes that no other process has, \(written) of them written; \(program) bytes of the program"
    }

    /// - Parameter guest: bytes of the guest's memory; mappings of this size or more are not counted.
    init(of processes: [Int32], guest: Int) throws {
        for process in processes {
            // A file of /proc has no size: whoever asks for all of it at once gets a page.
            let file = try FileHandle(forReadingFrom: URL(filePath: "/proc/\(process)/smaps"))
            defer { try? file.close() }
            add(String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self), guest)
        }
    }

    private mutating func add(_ text: String, _ guest: Int) {
        var isGuest = false
        var isCodeCache = false
        var isProgram = false
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count >= 3, words[2] == "kB", let kilobytes = Int(words[1]) else {
                // The first line of a mapping: addresses, permissions, and the file.
                if words.count >= 5, words[0].contains("-") {
                    isGuest = line.contains("memfd:guest-memory")
                    isCodeCache = line.contains("memfd:code-cache")
                    isProgram = words[1] == "r-xp" && line.hasSuffix("/aerie-vm")
                }
                continue
            }
            if words[0] == "Size:", kilobytes << 10 >= guest { isGuest = true }
            guard !isGuest else { continue }
            switch words[0] {
            case "Pss:": if isCodeCache { exclusive += kilobytes << 10 }
            case "Rss:": if isProgram { program += kilobytes << 10 }
            case "Private_Clean:": if !isCodeCache { exclusive += kilobytes << 10 }
            case "Private_Dirty:":
                guard !isCodeCache else { break }
                exclusive += kilobytes << 10
                written += kilobytes << 10
            default: break
            }
        }
    }
}
