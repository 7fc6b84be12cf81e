internal import Glibc
internal import HostSystem

// IOV_MAX of Linux, which Swift does not import.
private let maximumVectors = 1024

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
        try transfer(at: offset, buffers, "preadv", preadv)
    }

    /// Writes all of `buffers` at `offset`.
    func writeAll(at offset: UInt64, from buffers: IOBuffers) throws(DiskImageError) {
        try transfer(at: offset, buffers, "pwritev", pwritev)
    }

    private func transfer(
        at offset: UInt64, _ buffers: IOBuffers, _ name: String,
        _ call: (Int32, UnsafePointer<iovec>?, Int32, off_t) -> Int
    ) throws(DiskImageError) {
        var rest = buffers
        var position = offset
        while rest.count > 0 {
            let vectors = rest.vectors
            let done: Int
            do {
                done = try checked(name) {
                    call(rawValue, vectors, Int32(min(vectors.count, maximumVectors)), off_t(position))
                }
            } catch {
                throw .system(error)
            }
            if done == 0 { throw .truncated(at: position) }
            position += UInt64(done)
            rest = rest.slice(from: done, count: rest.count - done)
        }
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
