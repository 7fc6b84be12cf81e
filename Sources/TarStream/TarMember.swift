/// A member of a tar archive: what its headers say. The data of a file follow.
package struct TarMember: Equatable {
    package enum Kind: Equatable {
        case file
        case directory
        case symbolicLink(target: [UInt8])
        /// The target is the path of an earlier member.
        case hardLink(target: [UInt8])
        case fifo
        case characterDevice(major: UInt32, minor: UInt32)
        case blockDevice(major: UInt32, minor: UInt32)
    }

    /// As it stands in the archive; `TarPath.components` makes it safe. No zero byte is in it.
    package var path: [UInt8]
    package var kind: Kind
    /// Permission bits, 0 to 0o7777.
    package var mode: UInt32
    package var owner: UInt32 = 0
    package var group: UInt32 = 0
    /// The last modification, in nanoseconds since 1970; negative before.
    package var modified: Int64 = 0
    /// The bytes of a file, holes included; zero for everything else.
    package var size: UInt64 = 0

    package init(path: [UInt8], kind: Kind, mode: UInt32) {
        self.path = path
        self.kind = kind
        self.mode = mode
    }
}

/// A part of a sparse file that has data.
package struct TarSegment: Equatable {
    package var offset: UInt64
    package var size: UInt64

    package init(offset: UInt64, size: UInt64) {
        self.offset = offset
        self.size = size
    }
}
