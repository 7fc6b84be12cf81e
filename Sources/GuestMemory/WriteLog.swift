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
    private static let pageSize = PageSet.pageSize

    private let log: FileDescriptor
    private let table: PageTable
    private let start: UInt64
    private let size: UInt64
    private let isOn = Atomic<Bool>(false)
    /// What was noted since the last `take`; nil while the log is off.
    private let noted: Mutex<PageSet?> = Mutex(nil)

    /// - Returns: nil where the kernel has no such log (before Linux 6.7) or the host forbids it.
    init?(of memory: UnsafeMutableRawPointer, size: UInt64, table: PageTable) {
        do throws(SystemError) {
            log = FileDescriptor(owning: try checked("userfaultfd") { aerie_write_log_open() })
        } catch { return nil }
        self.table = table
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
        noted.withLock { $0 = PageSet(size: size) }
        do throws(SystemError) {
            _ = try checked("UFFDIO_REGISTER") { aerie_write_log_register(log.rawValue, start, size) }
            var next: UInt64 = 0
            let found = aerie_write_log_scan(table.file.rawValue, start, start + size, nil, 0, &next)
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
        noted.withLock { $0 = nil }
    }

    /// The pages that were written since `begin` or the last call: ranges of offsets in the memory, ascending, without overlap. Read the
    /// contents afterwards: what is written during the call is in this call's result or in the next one's.
    package func take() throws(SystemError) -> [Range<UInt64>] {
        let empty = PageSet(size: size)
        var pages = noted.withLock { noted in
            defer { if noted != nil { noted = empty } }
            return noted ?? empty
        }
        var ranges = [aerie_written_pages](repeating: aerie_written_pages(), count: Self.batch)
        var position = start
        while position < start + size {
            var next: UInt64 = 0
            let found = aerie_write_log_scan(
                table.file.rawValue, position, start + size, &ranges, UInt64(Self.batch), &next)
            guard found >= 0 else { throw SystemError("PAGEMAP_SCAN", code: errno) }
            for range in ranges[..<Int(found)] {
                pages.insert((range.start - start) / Self.pageSize..<(range.end - start) / Self.pageSize)
            }
            position = next
        }
        return pages.runs.map { $0.lowerBound * Self.pageSize..<$0.upperBound * Self.pageSize }
    }

    /// Records a write that the kernel may not have seen, of `count` bytes at an offset of the memory. Call it after the write.
    func noteWrite(from offset: UInt64, count: UInt64) {
        guard count > 0, isOn.load(ordering: .acquiring) else { return }
        noted.withLock { $0?.insert(offset / Self.pageSize..<(offset + count - 1) / Self.pageSize + 1) }
    }
}
