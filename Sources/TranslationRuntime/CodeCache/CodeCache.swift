internal import Glibc
internal import HostSystem
internal import HostX86_64

/// Memory for generated code: one memory file, mapped once for writing and once for execution, never both at one address.
///
/// Code is addressed by its offset. `CodeSegments` knows which parts are free.
struct CodeCache: ~Copyable {
    private let writable: Mapping
    private let executable: Mapping

    /// Bytes.
    var capacity: Int { writable.count }
    /// Where code is written.
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
    }

    /// Writes code where nothing executes it yet.
    func write(_ code: UnsafeRawBufferPointer, at position: Int) {
        precondition(position >= 0 && position + code.count <= capacity, "code lies in the cache")
        guard let bytes = code.baseAddress else { return }
        (writableBase + position).copyMemory(from: bytes, byteCount: code.count)
    }

    /// Makes the jump of a `PendingLink` lead to `target`, while other threads may execute it.
    func link(_ site: Int, to target: Int) { HostGenerator.link(site, to: target, in: writableBase) }

    /// Makes the jump of a `PendingLink` leave generated code again.
    func unlink(_ site: Int) { HostGenerator.unlink(site, in: writableBase) }

    /// Replaces the instruction at `position` (a block's first, a region's entry, or a jump) by a jump to `target`, while other
    /// threads may execute it.
    func redirect(_ position: Int, to target: Int) {
        HostGenerator.redirect(position, to: target, in: writableBase)
    }

    /// The bytes that `redirect` may change, for `restore`.
    func bytes(at position: Int) -> UInt64 { HostGenerator.patchableBytes(at: position, in: writableBase) }

    /// Undoes `redirect`. Nothing may execute the instruction.
    func restore(_ bytes: UInt64, at position: Int) { HostGenerator.restore(bytes, at: position, in: writableBase) }
}
