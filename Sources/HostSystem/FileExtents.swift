internal import CLinux
internal import Glibc

extension FileDescriptor {
    /// The next data range of a sparse file at or after `offset`; nil when only a hole follows. Bytes outside of data ranges are
    /// zero.
    package func nextData(from offset: UInt64) throws(SystemError) -> Range<UInt64>? {
        let start = aerie_seek_data(rawValue, off_t(offset))
        guard start >= 0 else {
            if errno == ENXIO { return nil }
            throw .last("lseek SEEK_DATA")
        }
        let end = try checked("lseek SEEK_HOLE") { aerie_seek_hole(rawValue, start) }
        return UInt64(start)..<UInt64(end)
    }
}
