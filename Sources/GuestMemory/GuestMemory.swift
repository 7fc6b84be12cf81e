internal import Glibc
package import HostSystem
internal import Synchronization

/// A guest-physical address range that is not wholly in guest memory.
public struct GuestMemoryError: Error, Equatable, CustomStringConvertible {
    /// The first guest-physical address.
    public let address: UInt64
    /// Bytes.
    public let count: UInt64

    @usableFromInline
    init(address: UInt64, count: UInt64) {
        self.address = address
        self.count = count
    }

    /// The range, for an error message.
    public var description: String {
        "guest-physical range 0x\(String(address, radix: 16)), \(count) bytes, is not in the guest's memory"
    }
}

/// A guest's RAM: one memory file, mapped once into this process, at one or more guest-physical ranges. Memory whose pages the host may
/// merge is private memory of this process instead: the kernel merges no pages of files. Memory with contents to begin with, and memory that
/// was frozen, is private, too, above files that do not change.
///
/// Every access is checked against the ranges. The guest changes the memory at any time from other threads. Accesses
/// therefore copy; callers keep no reference into the memory and do not read a value twice that must not change in between.
public final class GuestMemory: @unchecked Sendable {
    // @unchecked: `mapping`, `file` and `ranges` never change after init, and `backing` has a lock. The bytes are shared with guest code that
    // runs at the same time; accesses go through raw copies or atomics, as on any machine with shared memory.

    /// A guest-physical range and its place in the memory file.
    public struct Range: Equatable, Sendable {
        /// First guest-physical address; a multiple of 4096.
        public let base: UInt64
        /// Bytes; a multiple of 4096, more than 0.
        public let size: UInt64
        /// Offset in the memory file and from `hostBase`.
        public let offset: UInt64
    }

    /// The ranges in the order of their addresses.
    public let ranges: [Range]
    /// Bytes of all ranges together.
    package let size: UInt64
    /// The memory file behind the mapping; empty for private memory.
    let file: FileDescriptor
    /// What is behind the mapping.
    struct Backing {
        /// Whether no file has what the guest writes: memory whose pages may be merged, and memory with contents to begin with.
        var isPrivate: Bool
        /// Nil for memory that begins with zeroes.
        var beginning: MemoryBeginning?
    }

    /// Changes once at most, from a shared file to private memory with contents.
    let backing: Mutex<Backing>
    /// Nil where the host does not show it.
    let pageTable: PageTable?
    let mapping: Mapping
    /// The versions of watched pages.
    package let watch: PageWatch
    /// The log of written pages; nil for memory without one, and where the host's kernel has none.
    package let writeLog: WriteLog?
    /// The pages that come while the guest runs; nil for memory that is all there.
    package let arriving: ArrivingPages?

    /// Reserves memory. The host allocates a page at the first access to it.
    ///
    /// - Parameters:
    ///   - ranges: base and size in bytes of each range: multiples of 4096, ascending, without overlap.
    ///   - isMergeable: lets the host's kernel merge pages with those of other memory.
    ///   - contents: what the memory begins with, in the order of the ranges and of their size; nil for zeroes. A page is read at the first
    ///     access to it; the guest's writes do not reach the files.
    ///   - arrival: memory that another process has begun to fill, instead of `contents`; it is not mergeable.
    ///   - logsWrites: prepares a log of the pages that are written, which is off at first.
    /// - Throws: EINVAL of madvise(2) when the host's kernel cannot merge pages; EINVAL for contents of another size; EPERM for an arrival
    ///   that the host forbids.
    package init(
        ranges: [(base: UInt64, size: UInt64)], isMergeable: Bool = false, contents: MemorySource? = nil,
        arrival: MemoryArrival? = nil, logsWrites: Bool = false
    ) throws(SystemError) {
        var offset: UInt64 = 0
        var layout: [Range] = []
        for (base, size) in ranges {
            precondition(base % 4096 == 0 && size % 4096 == 0 && size > 0, "memory ranges are whole pages")
            precondition(layout.last.map { $0.base + $0.size <= base } ?? true, "memory ranges ascend")
            layout.append(Range(base: base, size: size, offset: offset))
            offset += size
        }
        self.ranges = layout
        self.size = offset
        let isMergeable = isMergeable && arrival == nil
        let isPrivate = isMergeable || contents != nil
        if let contents, contents.size != offset { throw SystemError("contents of another size", code: EINVAL) }
        let table = Result { () throws(SystemError) in try PageTable() }
        pageTable = try? table.get()
        let beginning = try contents.map { (contents) throws(SystemError) in
            MemoryBeginning(contents: contents, table: try table.get())
        }
        backing = Mutex(Backing(isPrivate: isPrivate, beginning: beginning))
        if let arrival {
            file = try arrival.memory(size: offset)
        } else {
            file = try makeMemoryFile(name: "guest-memory", size: isPrivate ? 0 : offset)
        }
        if let contents {
            mapping = try contents.map()
        } else {
            let flags = MAP_NORESERVE | (isMergeable ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED)
            mapping = try Mapping(count: Int(offset), flags: flags, descriptor: isMergeable ? -1 : file.rawValue)
        }
        hostBase = mapping.address
        if isMergeable {
            let (address, count) = (mapping.address, mapping.count)
            _ = try checked("madvise MADV_MERGEABLE") { madvise(address, count, MADV_MERGEABLE) }
        }
        watch = PageWatch(pages: Int(offset >> 12))
        if logsWrites, let pageTable {
            writeLog = WriteLog(of: mapping.address, size: offset, table: pageTable)
        } else {
            writeLog = nil
        }
        if let arrival, !arrival.missing.isEmpty {
            arriving = try ArrivingPages(arrival, memory: mapping.address, size: offset)
        } else {
            arriving = nil
        }
    }

    /// Host address of the memory file's first byte, for engines that map or translate guest memory themselves. It is valid
    /// while this object exists. The caller checks bounds.
    public let hostBase: UnsafeMutableRawPointer

    /// The host address of `count` bytes at a guest-physical address; nil when they are not in one range.
    @inlinable @inline(__always)
    public func hostAddress(of address: UInt64, count: UInt64) -> UnsafeMutableRawPointer? {
        for range in ranges where address >= range.base {
            let start = address - range.base
            if start < range.size, count <= range.size - start {
                return hostBase + Int(range.offset + start)
            }
        }
        return nil
    }

    /// Marks bytes found by `hostAddress` as modified. Call after the write; this type's write functions already do.
    @usableFromInline
    package func noteWrite(_ bytes: UnsafeMutableRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        watch.noteWrite(from: UInt64(start - hostBase), count: UInt64(bytes.count))
        writeLog?.noteWrite(from: UInt64(start - hostBase), count: UInt64(bytes.count))
    }

    /// Waits until all pages of bytes found by `hostAddress` are there. Call before a system call that reads or writes them: the kernel's own
    /// accesses need not wait for missing pages, and may fail.
    package func waitForPages(of bytes: UnsafeMutableRawBufferPointer) {
        if let arriving, arriving.areMissing { ArrivingPages.touch(bytes) }
    }

    @inlinable
    func buffer(at address: UInt64, count: Int) throws(GuestMemoryError) -> UnsafeMutableRawBufferPointer {
        guard count >= 0, let start = hostAddress(of: address, count: UInt64(count)) else {
            throw GuestMemoryError(address: address, count: UInt64(max(count, 0)))
        }
        return UnsafeMutableRawBufferPointer(start: start, count: count)
    }

    /// Copies guest memory to `destination`.
    package func read(at address: UInt64, into destination: UnsafeMutableRawBufferPointer) throws(GuestMemoryError) {
        destination.copyMemory(from: UnsafeRawBufferPointer(try buffer(at: address, count: destination.count)))
    }

    /// Returns a copy of `count` bytes of guest memory. The caller limits `count`.
    package func bytes(at address: UInt64, count: Int) throws(GuestMemoryError) -> [UInt8] {
        Array(try buffer(at: address, count: count))
    }

    /// Copies `source` to guest memory.
    package func write(_ source: UnsafeRawBufferPointer, at address: UInt64) throws(GuestMemoryError) {
        let target = try buffer(at: address, count: source.count)
        target.copyMemory(from: source)
        noteWrite(target)
    }

    /// Copies `bytes` to guest memory.
    package func write(_ bytes: [UInt8], at address: UInt64) throws(GuestMemoryError) {
        let target = try buffer(at: address, count: bytes.count)
        bytes.withUnsafeBytes { target.copyMemory(from: $0) }
        noteWrite(target)
    }

    /// Sets `count` bytes of guest memory to zero.
    package func clear(at address: UInt64, count: UInt64) throws(GuestMemoryError) {
        guard let start = hostAddress(of: address, count: count) else {
            throw GuestMemoryError(address: address, count: count)
        }
        memset(start, 0, Int(count))
        noteWrite(UnsafeMutableRawBufferPointer(start: start, count: Int(count)))
    }

    // MARK: Integers

    /// Reads a little-endian integer at any alignment.
    @inlinable
    public func load<Integer: FixedWidthInteger & BitwiseCopyable>(
        _ type: Integer.Type = Integer.self, at address: UInt64
    ) throws(GuestMemoryError) -> Integer {
        Integer(littleEndian: try buffer(at: address, count: MemoryLayout<Integer>.size).loadUnaligned(as: type))
    }

    /// Writes a little-endian integer at any alignment.
    @inlinable
    public func store<Integer: FixedWidthInteger & BitwiseCopyable>(
        _ value: Integer, at address: UInt64
    ) throws(GuestMemoryError) {
        let target = try buffer(at: address, count: MemoryLayout<Integer>.size)
        target.storeBytes(of: value.littleEndian, toByteOffset: 0, as: Integer.self)
        noteWrite(target)
    }

    /// Reads an aligned little-endian 16-bit value with acquire ordering: the guest's earlier writes are visible afterwards.
    package func loadAcquire(at address: UInt64) throws(GuestMemoryError) -> UInt16 {
        UInt16(littleEndian: try atomic(at: address).pointee.load(ordering: .acquiring))
    }

    /// Writes an aligned little-endian 16-bit value with release ordering: a reader of it sees all earlier writes.
    package func storeRelease(_ value: UInt16, at address: UInt64) throws(GuestMemoryError) {
        let target = try atomic(at: address)
        target.pointee.store(value.littleEndian, ordering: .releasing)
        noteWrite(UnsafeMutableRawBufferPointer(start: target, count: 2))
    }

    private func atomic(at address: UInt64) throws(GuestMemoryError) -> UnsafeMutablePointer<Atomic<UInt16>> {
        guard address % 2 == 0, let start = hostAddress(of: address, count: 2) else {
            throw GuestMemoryError(address: address, count: 2)
        }
        // Atomic<UInt16> has the layout of UInt16, and the address is aligned.
        return start.assumingMemoryBound(to: Atomic<UInt16>.self)
    }
}
