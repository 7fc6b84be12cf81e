internal import CGuestMemory
internal import Glibc
package import HostSystem
internal import Synchronization

/// The log of the pages of guest memory that are written, by the guest on any engine and by devices, while it is on.
///
/// The kernel keeps it: it protects the pages, and takes the protection of a page away at the first write, without a signal. Only a page that
/// was pinned for I/O before it was protected is written past the protection; whoever had it written says so (`noteWrite`).
package final class WriteLog: Sendable {
    /// Ranges that the kernel finds at once.
    private static let batch = 1024
    private static let pageSize: UInt64 = 4096

    private let log: FileDescriptor
    /// Opened at once, as the log is: a process in a jail opens nothing.
    private let table: FileDescriptor
    private let start: UInt64
    private let size: UInt64
    private let isOn = Atomic<Bool>(false)
    /// Bit `n` is page `n`: what was noted since the last `take`.
    private let noted: Mutex<[UInt64]> = Mutex([])

    /// - Returns: nil where the kernel has no such log (before Linux 6.7) or the host forbids it.
    init?(of memory: UnsafeMutableRawPointer, size: UInt64) {
        do throws(SystemError) {
            log = FileDescriptor(owning: try checked("userfaultfd") { aerie_write_log_open() })
            table = try FileDescriptor(path: "/proc/self/pagemap", flags: O_RDONLY)
        } catch { return nil }
        start = UInt64(UInt(bitPattern: memory))
        self.size = size
    }

    /// Logs the writes from now on.
    ///
    /// - Returns: whether the log was off; somebody else uses it otherwise.
    /// - Throws: the kernel's refusal. The log is off then.
    package func begin() throws(SystemError) -> Bool {
        guard isOn.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing).exchanged else {
            return false
        }
        noted.withLock { $0 = [UInt64](repeating: 0, count: Int(size / Self.pageSize + 63) / 64) }
        do throws(SystemError) {
            _ = try checked("UFFDIO_REGISTER") { aerie_write_log_register(log.rawValue, start, size) }
            var next: UInt64 = 0
            let found = aerie_write_log_scan(table.rawValue, start, start + size, nil, 0, &next)
            guard found >= 0 else { throw SystemError("PAGEMAP_SCAN", code: errno) }
        } catch {
            end()
            throw error
        }
        return true
    }

    /// Ends the log.
    package func end() {
        _ = aerie_write_log_unregister(log.rawValue, start, size)
        isOn.store(false, ordering: .releasing)
        noted.withLock { $0 = [] }
    }

    /// The pages that were written since `begin` or the last call: ranges of offsets in the memory, ascending, without overlap. Read the
    /// contents afterwards: what is written during the call is in this call's result or in the next one's.
    package func take() throws(SystemError) -> [Range<UInt64>] {
        var pages = noted.withLock { noted in
            let taken = noted
            for index in noted.indices { noted[index] = 0 }
            return taken
        }
        var ranges = [aerie_written_pages](repeating: aerie_written_pages(), count: Self.batch)
        var position = start
        while position < start + size {
            var next: UInt64 = 0
            let found = aerie_write_log_scan(
                table.rawValue, position, start + size, &ranges, UInt64(Self.batch), &next)
            guard found >= 0 else { throw SystemError("PAGEMAP_SCAN", code: errno) }
            for range in ranges[..<Int(found)] {
                for page in (range.start - start) / Self.pageSize..<(range.end - start) / Self.pageSize {
                    pages[Int(page / 64)] |= 1 << (page % 64)
                }
            }
            position = next
        }
        return Self.ranges(of: pages)
    }

    private static func ranges(of pages: [UInt64]) -> [Range<UInt64>] {
        var result: [Range<UInt64>] = []
        for (index, word) in pages.enumerated() {
            var rest = word
            while rest != 0 {
                let first = rest.trailingZeroBitCount
                let count = (~(rest >> UInt64(first))).trailingZeroBitCount
                let begin = (UInt64(index) * 64 + UInt64(first)) * pageSize
                let end = begin + UInt64(count) * pageSize
                if let last = result.last, last.upperBound == begin {
                    result[result.count - 1] = last.lowerBound..<end
                } else {
                    result.append(begin..<end)
                }
                rest = first + count == 64 ? 0 : rest & (UInt64.max << UInt64(first + count))
            }
        }
        return result
    }

    /// Records a write that the kernel may not have seen, of `count` bytes at an offset of the memory. Call it after the write.
    func noteWrite(from offset: UInt64, count: UInt64) {
        guard count > 0, isOn.load(ordering: .acquiring) else { return }
        noted.withLock { noted in
            guard !noted.isEmpty else { return }
            for page in offset / Self.pageSize...(offset + count - 1) / Self.pageSize {
                noted[Int(page / 64)] |= 1 << (page % 64)
            }
        }
    }
}
