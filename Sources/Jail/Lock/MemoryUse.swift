internal import CJail
internal import Glibc

/// The memory of this process.
enum MemoryUse {
    /// Bytes of private, writable memory, which RLIMIT_DATA counts. Nil where /proc is not there.
    static var privateBytes: UInt64? {
        var text = [CChar](repeating: 0, count: 256)
        guard aerie_jail_read_file("/proc/self/statm", &text, text.count) == 0 else { return nil }
        let words = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            .split(separator: " " as Character)
        // The sixth field is data and stack, in pages.
        guard words.count > 5, let pages = UInt64(words[5]) else { return nil }
        return pages * UInt64(getpagesize())
    }
}
