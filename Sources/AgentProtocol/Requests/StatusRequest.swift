/// STAT: the status of one path of the guest, which `FileStatus` answers.
package struct StatusRequest: Equatable {
    package var path: [UInt8]
    /// Whether a symbolic link stands for its target.
    package var followsLinks = false

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
            case Self.flagsTag: try field.once(&flags, field.flags(known: 1))
            default: throw ProtocolFault.unknownField(field.tag)
            }
        }
        guard let path else { throw ProtocolFault.missingField(Self.pathTag) }
        self.path = path
        followsLinks = flags == 1
    }

    var payload: [UInt8] {
        var record = RecordWriter()
        record.add(Self.pathTag, path)
        record.add(Self.flagsTag, integer: UInt32(followsLinks ? 1 : 0))
        return record.bytes
    }
}
