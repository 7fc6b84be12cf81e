internal import CGuestMemory
internal import Glibc
package import HostSystem
internal import Synchronization

/// Memory that another process has begun to fill, and whose other pages come while the guest runs.
package struct MemoryArrival: Sendable {
    /// A descriptor of the memory file (memfd_create(2)), which stays the caller's. It is empty where pages are missing.
    package let file: Int32
    /// Offsets of the missing pages: whole pages, ascending, without overlap, within the memory.
    package let missing: [Range<UInt64>]
    /// Whether the kernel accesses the memory for the guest, as KVM does.
    package let servesKernel: Bool

    package init(file: Int32, missing: [Range<UInt64>], servesKernel: Bool) {
        self.file = file
        self.missing = missing
        self.servesKernel = servesKernel
    }

    /// - Throws: EINVAL for a file of another size.
    func memory(size: UInt64) throws(SystemError) -> FileDescriptor {
        let file = file
        let copy = try FileDescriptor(duplicating: file)
        guard try copy.size() == size else { throw SystemError("memory of another size", code: EINVAL) }
        return copy
    }
}

/// The pages of guest memory that come while the guest runs (post-copy): whoever accesses one waits until it is there.
///
/// The kernel reports the accesses (userfaultfd(2)). The thread that takes the reports and the thread that fills the pages must not access the
/// memory themselves.
package final class ArrivingPages: Sendable {
    private static let pageSize = PageSet.pageSize
    /// Reports that are taken at once.
    private static let batch: Int32 = 64

    private struct Pages: Sendable {
        /// They have to come.
        var missing: PageSet
        /// Those of them that were asked for.
        var asked: PageSet
    }

    private let faults: FileDescriptor
    private let start: UInt64
    private let size: UInt64
    private let pages: Mutex<Pages>
    private let isOpen = Atomic<Bool>(true)

    /// Whether the host lets this process wait for missing pages.
    ///
    /// - Parameter servesKernel: as of `MemoryArrival`.
    package static func check(servesKernel: Bool) throws(SystemError) {
        _ = FileDescriptor(owning: try checked("userfaultfd") { aerie_page_faults_open(servesKernel ? 1 : 0) })
    }

    init(_ arrival: MemoryArrival, memory: UnsafeMutableRawPointer, size: UInt64) throws(SystemError) {
        faults = FileDescriptor(
            owning: try checked("userfaultfd") { aerie_page_faults_open(arrival.servesKernel ? 1 : 0) })
        let start = UInt64(UInt(bitPattern: memory))
        self.start = start
        self.size = size
        var missing = PageSet(size: size)
        for range in arrival.missing {
            guard range.upperBound <= size, range.lowerBound % Self.pageSize == 0, range.upperBound % Self.pageSize == 0
            else { throw SystemError("missing pages", code: EINVAL) }
            missing.insert(range.lowerBound / Self.pageSize..<range.upperBound / Self.pageSize)
        }
        pages = Mutex(Pages(missing: missing, asked: PageSet(size: size)))
        let descriptor = faults.rawValue
        _ = try checked("UFFDIO_REGISTER") { aerie_page_faults_register(descriptor, start, size) }
    }

    /// Readable when somebody waits for a page.
    package var descriptor: Int32 { faults.rawValue }

    /// Whether pages are still to come.
    package var areMissing: Bool { isOpen.load(ordering: .acquiring) }

    /// Bytes that are still to come.
    package var missingSize: UInt64 { pages.withLock { $0.missing.count * Self.pageSize } }

    /// The missing pages for which somebody has begun to wait, each once: their offsets. Does not wait. An access to a page that has not to
    /// come, because it is zero, goes on.
    package func takeWanted() throws(SystemError) -> [UInt64] {
        var addresses = [UInt64](repeating: 0, count: Int(Self.batch))
        let descriptor = faults.rawValue
        let found = try checked("read of userfaultfd") { aerie_page_faults_take(descriptor, &addresses, Self.batch) }
        var wanted: [UInt64] = []
        for address in addresses[..<Int(found)] where address >= start && address - start < size {
            let page = (address - start) / Self.pageSize
            let (isMissing, isNew) = pages.withLock { pages in
                guard pages.missing.contains(page) else { return (false, false) }
                defer { pages.asked.insert(page) }
                return (true, !pages.asked.contains(page))
            }
            if isNew { wanted.append(page * Self.pageSize) }
            if !isMissing { try fill(page * Self.pageSize, Self.pageSize, nil) }
        }
        return wanted
    }

    /// Fills missing pages, and lets whoever waits for them go on.
    ///
    /// - Parameters:
    ///   - bytes: whole pages; nil for zeroes.
    ///   - count: bytes.
    ///   - offset: of the first one in the memory.
    /// - Throws: EINVAL for pages that are not missing.
    package func store(_ bytes: UnsafeRawPointer?, count: UInt64, at offset: UInt64) throws(SystemError) {
        let end = offset.addingReportingOverflow(count)
        guard count > 0, offset % Self.pageSize == 0, count % Self.pageSize == 0, !end.overflow,
            end.partialValue <= size
        else { throw SystemError("a part of the memory", code: EINVAL) }
        let range = offset / Self.pageSize..<end.partialValue / Self.pageSize
        guard pages.withLock({ $0.missing.contains(range) }) else {
            throw SystemError("pages that are not missing", code: EINVAL)
        }
        try fill(offset, count, bytes)
        pages.withLock { $0.missing.remove(range) }
    }

    private func fill(_ offset: UInt64, _ count: UInt64, _ bytes: UnsafeRawPointer?) throws(SystemError) {
        let (descriptor, address) = (faults.rawValue, start + offset)
        _ = try checked("UFFDIO_COPY") { aerie_page_faults_fill(descriptor, address, count, bytes) }
    }

    /// All pages are there: the kernel reports no access any more.
    package func finish() {
        _ = aerie_write_log_unregister(faults.rawValue, start, size)
        isOpen.store(false, ordering: .releasing)
    }

    /// Reads a byte of each page.
    static func touch(_ bytes: UnsafeMutableRawBufferPointer) {
        guard let first = bytes.baseAddress, !bytes.isEmpty else { return }
        var offset = 0
        while offset < bytes.count {
            // As an atomic, because the compiler keeps such a load. Atomic<UInt8> has the layout of UInt8.
            _ = (first + offset).assumingMemoryBound(to: Atomic<UInt8>.self).pointee.load(ordering: .relaxed)
            offset += Int(pageSize) - Int(UInt(bitPattern: first + offset) % UInt(pageSize))
        }
    }
}
