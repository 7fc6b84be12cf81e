internal import Glibc
package import HostSystem

/// Memory for generated code: one memory file, mapped once for writing and once for execution, never both at one address.
///
/// Code is addressed by its offset. What is where is its owner's business.
package struct CodeCache: ~Copyable {
    private let writable: Mapping
    private let executable: Mapping

    /// Bytes.
    package var capacity: Int { writable.count }
    /// Where code is written.
    package var writableBase: UnsafeMutableRawPointer { writable.address }
    /// Where the same bytes execute.
    package var executableBase: UnsafeRawPointer { UnsafeRawPointer(executable.address) }

    /// - Parameter capacity: bytes, a multiple of 4096; the host provides pages as they are written. Offsets are 32-bit
    ///   branches' displacements, so at most 1 GiB.
    package init(capacity: Int) throws(SystemError) {
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
    package func write(_ code: UnsafeRawBufferPointer, at position: Int) {
        precondition(position >= 0 && position + code.count <= capacity, "code lies in the cache")
        guard let bytes = code.baseAddress else { return }
        (writableBase + position).copyMemory(from: bytes, byteCount: code.count)
    }

    /// Makes the jump whose displacement is at `site` lead to `target`, while other threads may execute it.
    package func relink(_ site: Int, to target: Int) { redirect(site - 1, to: target) }

    /// Makes the jump of a `PendingLink` leave again.
    package func unlink(_ site: Int) { relink(site, to: site + 4) }

    /// Replaces the instruction at `position`, a block's first, the entry of a region or a jump, by a jump to `target`, while other
    /// threads may execute it.
    package func redirect(_ position: Int, to target: Int) {
        // The first instruction of a block, as `Generator.takeBudget` makes it, is longer than a jump.
        Assembler(base: writableBase).patchJump(position, to: target)
    }

    /// The bytes that `redirect` may change, for `restore`.
    package func bytes(at position: Int) -> UInt64 {
        (writableBase + (position & ~(Assembler.patchSize - 1))).load(as: UInt64.self)
    }

    /// Undoes `redirect`. Nothing may execute the instruction.
    package func restore(_ bytes: UInt64, at position: Int) {
        (writableBase + (position & ~(Assembler.patchSize - 1))).storeBytes(of: bytes, as: UInt64.self)
    }
}
