internal import Glibc
internal import HostSystem

/// The kernel's table of the pages of this process.
final class PageTable: Sendable {
    /// Opened with the memory: a process in a jail opens nothing.
    let file: FileDescriptor

    init() throws(SystemError) { file = try FileDescriptor(path: "/proc/self/pagemap", flags: O_RDONLY) }
}

/// The contents that private memory began with, and the pages that were written since.
final class MemoryBeginning: Sendable {
    /// Pages that are looked up at once: few where something was found just before, since the next search looks at the same ones again.
    private static let leastBatch = 128
    private static let batch = 8192
    private static let pageSize = UInt64(sysconf(Int32(_SC_PAGESIZE)))

    // Bits of an entry of /proc/PID/pagemap (admin-guide/mm/pagemap of the kernel's documentation).
    private static let isPresent: UInt64 = 1 << 63
    private static let isSwapped: UInt64 = 1 << 62
    private static let isOfFile: UInt64 = 1 << 61
    /// Of a page in swap: its area. The last number stands for a page that was never accessed and has a mark, such as the protection of
    /// `WriteLog`.
    private static let swapArea: UInt64 = 0x1F
    private static let markedOnly: UInt64 = 0x1F

    let contents: MemorySource
    private let table: PageTable

    init(contents: MemorySource, table: PageTable) {
        self.contents = contents
        self.table = table
    }

    /// The next range of the memory that may have other contents than zeroes: data of the files, or pages that were written.
    func nextData(from offset: UInt64, hostBase: UnsafeMutableRawPointer) throws(SystemError) -> Range<UInt64>? {
        guard offset < contents.size else { return nil }
        let data = try contents.nextData(from: offset)
        let written = try nextWritten(offset..<(data?.lowerBound ?? contents.size), hostBase)
        return written ?? data
    }

    /// The next range of the files at or after an offset that may have other contents than zeroes.
    func contentsData(from offset: UInt64) throws(SystemError) -> Range<UInt64>? { try contents.nextData(from: offset) }

    /// The next part of a range whose pages were written.
    func nextWritten(
        _ range: Range<UInt64>, _ hostBase: UnsafeMutableRawPointer
    ) throws(SystemError) -> Range<UInt64>? {
        let first = UInt64(UInt(bitPattern: hostBase)) / Self.pageSize
        var page = range.lowerBound / Self.pageSize
        let end = (range.upperBound + Self.pageSize - 1) / Self.pageSize
        var batch = Self.leastBatch
        while page < end {
            let count = min(batch, Int(end - page))
            batch = min(2 * batch, Self.batch)
            var entries = [UInt64](repeating: 0, count: count)
            let found = try entries.withUnsafeMutableBufferPointer { (buffer) throws(SystemError) in
                try table.file.read(
                    at: 8 * (first + page),
                    into: UnsafeMutableRawBufferPointer(buffer))
            }
            guard found == 8 * count else { throw SystemError("/proc/self/pagemap", code: EIO) }
            if let start = entries[..<count].firstIndex(where: Self.isWritten) {
                let length = entries[start..<count].prefix(while: Self.isWritten).count
                let begin = (page + UInt64(start)) * Self.pageSize
                return max(begin, range.lowerBound)..<(begin + UInt64(length) * Self.pageSize)
            }
            page += UInt64(count)
        }
        return nil
    }

    /// Whether a page is the process's own: a copy of the file's, in memory or in swap.
    private static func isWritten(_ entry: UInt64) -> Bool {
        if entry & isSwapped != 0 { return entry & swapArea != markedOnly }
        return entry & isPresent != 0 && entry & isOfFile == 0
    }
}
