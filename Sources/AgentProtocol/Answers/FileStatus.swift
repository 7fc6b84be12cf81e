/// STATUS: the answer to STAT.
package struct FileStatus: Equatable {
    package enum Kind: UInt32 {
        case file = 0
        case directory = 1
        case symbolicLink = 2
        case fifo = 3
        case characterDevice = 4
        case blockDevice = 5
        case socket = 6
    }

    package var kind: Kind
    /// Permission bits, 0 to 0o7777.
    package var mode: UInt32
    /// Bytes.
    package var size: UInt64
    /// The target of a symbolic link; nil for everything else.
    package var linkTarget: [UInt8]?
    /// The path without links, `.` and `..`; nil if a link's target does not exist.
    package var realPath: [UInt8]?
    /// The last modification, in nanoseconds since 1970; negative before.
    package var modified: Int64
    package var owner: UInt32
    package var group: UInt32

    package init(kind: Kind, mode: UInt32, size: UInt64, modified: Int64, owner: UInt32, group: UInt32) {
        self.kind = kind
        self.mode = mode
        self.size = size
        self.modified = modified
        self.owner = owner
        self.group = group
    }

    private enum Tag {
        static let kind: UInt16 = 1
        static let mode: UInt16 = 2
        static let size: UInt16 = 3
        static let linkTarget: UInt16 = 4
        static let realPath: UInt16 = 5
        static let modified: UInt16 = 6
        static let owner: UInt16 = 7
        static let group: UInt16 = 8
    }

    init(payload: [UInt8]) throws(ProtocolFault) {
        var kind: Kind?
        var mode: UInt32?
        var size: UInt64?
        var linkTarget: [UInt8]?
        var realPath: [UInt8]?
        var modified: UInt64?
        var owner: UInt32?
        var group: UInt32?
        var reader = RecordReader(payload)
        while let field = try reader.next() {
            switch field.tag {
            case Tag.kind:
                guard let value = Kind(rawValue: try field.integer()) else { throw field.fault }
                try field.once(&kind, value)
            case Tag.mode: try field.once(&mode, field.flags(known: 0o7777))
            case Tag.size: try field.once(&size, field.integer())
            case Tag.linkTarget: try field.once(&linkTarget, field.path())
            case Tag.realPath: try field.once(&realPath, field.path())
            case Tag.modified: try field.once(&modified, field.integer())
            case Tag.owner: try field.once(&owner, field.integer())
            case Tag.group: try field.once(&group, field.integer())
            default: throw ProtocolFault.unknownField(field.tag)
            }
        }
        guard let kind else { throw ProtocolFault.missingField(Tag.kind) }
        guard let mode else { throw ProtocolFault.missingField(Tag.mode) }
        guard let size else { throw ProtocolFault.missingField(Tag.size) }
        self.init(
            kind: kind, mode: mode, size: size, modified: Int64(bitPattern: modified ?? 0), owner: owner ?? 0,
            group: group ?? 0)
        self.linkTarget = linkTarget
        self.realPath = realPath
    }

    var payload: [UInt8] {
        var record = RecordWriter()
        record.add(Tag.kind, integer: kind.rawValue)
        record.add(Tag.mode, integer: mode)
        record.add(Tag.size, integer: size)
        record.add(Tag.linkTarget, ifThere: linkTarget)
        record.add(Tag.realPath, ifThere: realPath)
        record.add(Tag.modified, integer: UInt64(bitPattern: modified))
        record.add(Tag.owner, integer: owner)
        record.add(Tag.group, integer: group)
        return record.bytes
    }
}
