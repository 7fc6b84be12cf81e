internal import Aerie
internal import Glibc
internal import HostSystem

/// A disk's file as it comes.
final class ReceivedDisk {
    private let file: FileDescriptor
    private let modified: Int64?
    /// The path of a disk outside of the machine's directory, for errors; nil for the machine's own.
    private let path: String?

    /// - Parameter modified: the time of the last change that the file gets, in nanoseconds since 1970; nil for its own.
    init(_ file: consuming FileDescriptor, modified: Int64?, path: String? = nil) {
        self.file = file
        self.modified = modified
        self.path = path
    }

    var descriptor: Int32 { file.rawValue }

    var identity: FileIdentity? { try? file.identity() }

    func store(_ frame: TransferFrame, _ data: UnsafeRawBufferPointer) throws {
        if frame.kind == .data {
            return try writing { () throws(SystemError) in try file.writeAll(at: frame.offset, data) }
        }
        guard frame.count <= UInt64(RepeatedCopy.blockSize) else {
            throw TransferError.damaged("a frame of zeroes is too long")
        }
        try writing { () throws(SystemError) in
            try file.writeAll(at: frame.offset, [UInt8](repeating: 0, count: Int(frame.count)))
        }
    }

    /// The sender forgets the disk soon: it has to be on this host's storage.
    func finish(size: UInt64) throws {
        try writing { () throws(SystemError) in
            try file.truncate(to: min(size, UInt64(Int64.max)))
            if let modified, modified >= 0 {
                let time = timespec(tv_sec: Int(modified / 1_000_000_000), tv_nsec: Int(modified % 1_000_000_000))
                _ = try checked("futimens") { futimens(file.rawValue, [time, time]) }
            }
            try file.synchronize()
        }
    }

    /// A full file system is that of the disk, not that of the machines' directory.
    private func writing(_ body: () throws(SystemError) -> Void) throws {
        do throws(SystemError) { try body() } catch {
            guard let path else { throw error }
            throw AerieError(
                .unavailable, asked: "writing the disk \(path) on the receiver's host", found: error.description,
                advice: error.code == ENOSPC || error.code == EDQUOT
                    ? "make room there, or keep the disk where both hosts see it" : "see that host's file system")
        }
    }
}
