internal import Aerie
internal import Glibc
internal import HostSystem

/// A disk's file as it comes.
final class ReceivedDisk {
    private let file: FileDescriptor
    private let modified: Int64?

    /// - Parameter modified: the time of change that the file gets, in nanoseconds since 1970; nil for its own.
    init(_ path: String, modified: Int64?) throws(SystemError) {
        file = try FileDescriptor(new: path)
        self.modified = modified
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
        if let modified, modified >= 0 {
            let time = timespec(tv_sec: Int(modified / 1_000_000_000), tv_nsec: Int(modified % 1_000_000_000))
            _ = try checked("futimens") { futimens(file.rawValue, [time, time]) }
        }
        try file.synchronize()
    }
}
