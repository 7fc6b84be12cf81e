internal import Glibc
internal import HostSystem

// Zeroes to write where the file system cannot make them itself.
// nonisolated(unsafe): nobody ever writes to it.
private nonisolated(unsafe) let zeroes: UnsafeRawBufferPointer = {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 4096)
    memset(bytes.baseAddress!, 0, bytes.count)
    return UnsafeRawBufferPointer(bytes)
}()

extension FileDescriptor {
    /// Fills `buffers` from `offset` on; the file must have that much.
    func readAll(at offset: UInt64, into buffers: IOBuffers) throws(DiskImageError) {
        try run(FileTransfer(.read(present: .max), self, at: offset, buffers))
    }

    /// Writes all of `buffers` at `offset`.
    func writeAll(at offset: UInt64, from buffers: IOBuffers) throws(DiskImageError) {
        try run(FileTransfer(.write, self, at: offset, buffers))
    }

    func run(_ transfer: FileTransfer) throws(DiskImageError) {
        var transfer = transfer
        if let error = transfer.run() { throw error }
    }

    /// Makes the range read as zeroes: by the file system where it can, else by writing them.
    func clear(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(DiskImageError) {
        guard count > 0 else { return }
        do {
            if mayUnmap {
                try punchHole(at: offset, count: count)
            } else {
                try zeroRange(at: offset, count: count)
            }
        } catch  where error.code == EOPNOTSUPP || error.code == ENOSYS {
            try writeZeroes(at: offset, count: count)
        } catch {
            throw .system(error)
        }
    }

    private func writeZeroes(at offset: UInt64, count: UInt64) throws(DiskImageError) {
        var done: UInt64 = 0
        while done < count {
            let part = Int(min(count - done, UInt64(zeroes.count)))
            do {
                try writeAll(at: offset + done, UnsafeRawBufferPointer(rebasing: zeroes[..<part]))
            } catch {
                throw .system(error)
            }
            done += UInt64(part)
        }
    }
}
