internal import Aerie
internal import HostSystem

/// A disk's file as it comes.
final class ReceivedDisk {
    private let file: FileDescriptor

    init(_ path: String) throws(SystemError) {
        file = try FileDescriptor(new: path)
    }

    func store(_ frame: TransferFrame, _ data: UnsafeRawBufferPointer) throws {
        if frame.kind == .data { return try file.writeAll(at: frame.offset, data) }
        guard frame.count <= UInt64(RepeatedCopy.blockSize) else {
            throw TransferError.damaged("a frame of zeroes is too long")
        }
        try file.writeAll(at: frame.offset, [UInt8](repeating: 0, count: Int(frame.count)))
    }

    /// The sender forgets the disk soon: it has to be on this host's storage.
    func finish(size: UInt64) throws(SystemError) {
        try file.truncate(to: min(size, UInt64(Int64.max)))
        try file.synchronize()
    }
}
