internal import HostSystem

/// A format of disk images.
package enum DiskImageFormat: String, CaseIterable, Sendable {
    /// The file's bytes are the disk's bytes.
    case raw
    case qcow2

    /// The format by which a file begins. A guest that writes to a raw disk chooses it: it is for messages and for people, never to
    /// open a disk by.
    package static func apparent(path: String, files: DiskFiles? = nil) throws(DiskImageError) -> DiskImageFormat {
        let file = try LockedFile(path: path, readOnly: true, files: files)
        // The lock of files that somebody else has opened stays.
        defer { if files == nil { file.descriptor.unlock() } }
        var start = [UInt8](repeating: 0, count: 4)
        do {
            try start.withUnsafeMutableBufferPointer { (buffer) throws(SystemError) in
                _ = try file.descriptor.read(at: 0, into: UnsafeMutableRawBufferPointer(buffer))
            }
        } catch {
            throw .cannotOpen(path: path, error)
        }
        return start.bigEndian(at: 0) == Qcow2Header.magic ? .qcow2 : .raw
    }
}
