/// PUT: a tar stream that follows is unpacked below a directory of the guest.
package struct PutRequest: Equatable {
    /// The directory, which must exist unless `createsDirectory` is set.
    package var path: [UInt8]
    /// Whether members keep the numbers of their owner and group. If false, they belong to root.
    package var keepsOwners = false
    /// Whether the agent creates the directory, and the directories above it, where they are absent.
    package var createsDirectory = false

    package init(path: [UInt8]) { self.path = path }

    private static let pathTag: UInt16 = 1
    private static let flagsTag: UInt16 = 2

    init(payload: [UInt8]) throws(ProtocolFault) {
        var path: [UInt8]?
        var flags: UInt32?
        var reader = RecordReader(payload)
        while let field = try reader.next() {
            switch field.tag {
            case Self.pathTag: try field.once(&path, field.path())
            case Self.flagsTag: try field.once(&flags, field.flags(known: 3))
            default: throw ProtocolFault.unknownField(field.tag)
            }
        }
        guard let path else { throw ProtocolFault.missingField(Self.pathTag) }
        self.path = path
        keepsOwners = (flags ?? 0) & 1 != 0
        createsDirectory = (flags ?? 0) & 2 != 0
    }

    var payload: [UInt8] {
        var record = RecordWriter()
        record.add(Self.pathTag, path)
        record.add(Self.flagsTag, integer: UInt32((keepsOwners ? 1 : 0) | (createsDirectory ? 2 : 0)))
        return record.bytes
    }
}
