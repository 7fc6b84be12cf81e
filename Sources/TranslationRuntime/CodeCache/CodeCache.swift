internal import Glibc
internal import HostSystem
internal import HostX86_64

/// Memory for generated code: one memory file, mapped once for writing and once for execution, never both at one address.
///
/// Code is addressed by its offset. `CodeSegments` knows which parts are free. Code of a saved machine may execute from a file instead
/// (`AdoptedCode`) until it changes.
struct CodeCache: ~Copyable {
    private let memory: FileDescriptor
    private let writable: Mapping
    private let executable: Mapping
    private var adopted: AdoptedCode?

    /// Bytes.
    var capacity: Int { writable.count }
    /// Where code is written, but for adopted code.
    var writableBase: UnsafeMutableRawPointer { writable.address }
    /// Where the same bytes execute.
    var executableBase: UnsafeRawPointer { UnsafeRawPointer(executable.address) }

    /// - Parameter capacity: bytes, a multiple of 4096; the host provides pages as they are written. Offsets are 32-bit
    ///   branches' displacements, so at most 1 GiB.
    init(capacity: Int) throws(SystemError) {
        precondition(capacity > 0 && capacity % 4096 == 0 && capacity <= 1 << 30, "a code cache has whole pages")
        let file = try makeMemoryFile(name: "code-cache", size: UInt64(capacity))
        let writing = try Mapping(count: capacity, flags: MAP_SHARED | MAP_NORESERVE, descriptor: file.rawValue)
        let executing = try Mapping(
            count: capacity, protection: PROT_READ | PROT_EXEC, flags: MAP_SHARED | MAP_NORESERVE,
            descriptor: file.rawValue)
        writable = writing
        executable = executing
        memory = file
    }

    /// Takes code over from a file. Nothing executes in the cache.
    ///
    /// - Parameters:
    ///   - code: positions in the cache.
    ///   - own: the end of the cache's first code, which stays its own.
    ///   - offset: of the position 0 in the file.
    mutating func adopt(
        _ code: [Range<Int>], behind own: Int, from file: borrowing FileDescriptor, at offset: Int
    ) throws(SystemError) {
        let adopted = try AdoptedCode(
            writable: writable.address, executable: executable.address, memory: memory, capacity: capacity, file: file,
            offset: offset)
        self.adopted = adopted
        for range in code { try adopted.adopt(range, behind: own) }
    }

    /// Goes back to the code that was adopted, after `clear`. Nothing executes in the cache.
    ///
    /// - Parameter own: as of `adopt`.
    /// - Returns: false where there is none.
    func restoreAdopted(behind own: Int) -> Bool {
        guard let adopted else { return false }
        return (try? adopted.restore(behind: own)) != nil
    }

    /// Has the aligned word of `redirect` in the cache's own memory.
    private func ownWord(at position: Int) { adopted?.own(position..<position + 1) }

    /// Writes code where nothing executes it yet.
    func write(_ code: UnsafeRawBufferPointer, at position: Int) {
        precondition(position >= 0 && position + code.count <= capacity, "code lies in the cache")
        guard let bytes = code.baseAddress else { return }
        adopted?.own(position..<position + code.count)
        (writableBase + position).copyMemory(from: bytes, byteCount: code.count)
    }

    /// Gives the memory of all code from a position on back to the host. Nothing executes it.
    func clear(from position: Int) {
        let start = (position + 4095) & ~4095
        // Adopted code stays in its file; only this process's view of it goes.
        madvise(writableBase + start, capacity - start, MADV_DONTNEED)
        madvise(UnsafeMutableRawPointer(mutating: executableBase + start), capacity - start, MADV_DONTNEED)
        try? memory.punchHole(at: UInt64(start), count: UInt64(capacity - start))
    }

    /// Makes the jump of a `PendingLink` lead to `target`, while other threads may execute it.
    func link(_ site: Int, to target: Int) {
        ownWord(at: site)
        HostGenerator.link(site, to: target, in: writableBase)
    }

    /// Makes the jump of a `PendingLink` leave generated code again.
    func unlink(_ site: Int) {
        ownWord(at: site)
        HostGenerator.unlink(site, in: writableBase)
    }

    /// Replaces the instruction at `position` (a block's first, a region's entry, or a jump) by a jump to `target`, while other
    /// threads may execute it.
    func redirect(_ position: Int, to target: Int) {
        ownWord(at: position)
        HostGenerator.redirect(position, to: target, in: writableBase)
    }

    /// The bytes that `redirect` may change, for `restore`.
    func bytes(at position: Int) -> UInt64 { HostGenerator.patchableBytes(at: position, in: executableBase) }

    /// Undoes `redirect`. Nothing may execute the instruction.
    func restore(_ bytes: UInt64, at position: Int) {
        ownWord(at: position)
        HostGenerator.restore(bytes, at: position, in: writableBase)
    }
}
