internal import Glibc
internal import HostSystem

/// Reads what a `ConsoleLog` has written, and what it writes later.
package struct ConsoleLogReader {
    package struct Entry: Equatable, Sendable {
        /// ISO 8601 in UTC.
        package let time: String
        package let text: [UInt8]
        /// Whether the line ends with this entry.
        package let isWhole: Bool
    }

    /// A file, and how far it was read.
    private struct Source {
        let path: String
        var offset: UInt64 = 0
        /// The beginning of an entry.
        var rest: [UInt8] = []
    }

    private static let longestRest = 1 << 17

    private var sources: [Source]

    package init(path: String) {
        sources = ConsoleLog.paths(path).map { Source(path: $0) }
    }

    /// The entries since the last call, the oldest first.
    package mutating func read() -> [Entry] {
        var parts = sources.indices.map { read($0) }.filter { !$0.isEmpty }
        parts.sort { $0[0].time < $1[0].time }
        return Array(parts.joined())
    }

    private mutating func read(_ index: Int) -> [Entry] {
        guard let file = try? FileDescriptor(path: sources[index].path, flags: O_RDONLY | O_NOFOLLOW),
            let size = try? file.size()
        else { return [] }
        // The file was emptied and begun anew.
        if size < sources[index].offset { (sources[index].offset, sources[index].rest) = (0, []) }
        var buffer = [UInt8](repeating: 0, count: Int(min(size - sources[index].offset, 64 << 20)))
        let count = (try? buffer.withUnsafeMutableBytes { try file.read(at: sources[index].offset, into: $0) }) ?? 0
        sources[index].offset += UInt64(count)
        let bytes = sources[index].rest + buffer[..<count]
        var entries: [Entry] = []
        var start = 0
        while let end = bytes[start...].firstIndex(of: 0x0A) {
            if let entry = Self.entry(bytes[start..<end]) { entries.append(entry) }
            start = end + 1
        }
        let rest = bytes[start...]
        sources[index].rest = rest.count > Self.longestRest ? [] : Array(rest)
        return entries
    }

    /// `TIME stdout F|P TEXT`.
    private static func entry(_ line: ArraySlice<UInt8>) -> Entry? {
        let parts = line.split(separator: 0x20, maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 4, let tag = parts[2].first, parts[2].count == 1 else { return nil }
        return Entry(
            time: String(decoding: parts[0], as: UTF8.self), text: Array(parts[3]), isWhole: tag == UInt8(ascii: "F"))
    }
}
