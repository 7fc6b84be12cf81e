internal import CScheduling

/// What a process uses of the host at one moment.
package struct ProcessUsage: Equatable, Sendable {
    /// Nanoseconds of processor time of all its threads since its start.
    package let processorTime: UInt64
    /// Bytes of memory of its own: without the guest's, which is shared memory.
    package let ownMemory: UInt64

    /// Nil when there is no such process.
    package init?(of process: Int32) {
        let time = aerie_process_time(process)
        guard process > 0, time >= 0, let text = ProcessFile.text("/proc/\(process)/status") else { return nil }
        processorTime = UInt64(time)
        ownMemory = Self.kibibytes("RssAnon:", in: text) + Self.kibibytes("RssFile:", in: text)
    }

    private static func kibibytes(_ key: String, in text: String) -> UInt64 {
        for line in text.split(separator: Character("\n")) where line.hasPrefix(key) {
            let words = line.split { $0.isWhitespace }
            return words.count > 1 ? (UInt64(words[1]) ?? 0) << 10 : 0
        }
        return 0
    }
}
