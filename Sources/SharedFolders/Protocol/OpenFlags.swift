internal import Glibc

/// The flags with which a guest opens a file, as far as the host needs them. Their values are those of every architecture that a guest
/// may have.
struct OpenFlags {
    private static let access: UInt32 = 3
    private static let exclusive: UInt32 = 0o200
    private static let truncate: UInt32 = 0o1000
    private static let append: UInt32 = 0o2000
    private static let synchronous: UInt32 = 0o4010000

    let raw: UInt32

    var mayWrite: Bool { raw & Self.access != UInt32(O_RDONLY) }
    var mayRead: Bool { raw & Self.access != UInt32(O_WRONLY) }
    var truncates: Bool { raw & Self.truncate != 0 }
    var isExclusive: Bool { raw & Self.exclusive != 0 }
    var appends: Bool { raw & Self.append != 0 }

    /// O_APPEND is not among them: the guest's page cache writes through such a file at any offset, and each write says whether it appends.
    /// O_DIRECT is not either: its alignment would bind the guest's buffers.
    var host: Int32 { Int32(raw & (Self.access | Self.truncate | Self.synchronous)) }
}
