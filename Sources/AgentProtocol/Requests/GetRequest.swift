/// GET: files and trees of the guest as a tar stream. A member's name begins with the last component of its path;
/// a path that ends in `/`, `/.` or `/..` has members that begin with `.`.
package struct GetRequest: Equatable {
    /// At least one.
    package var paths: [[UInt8]]
    /// Whether a symbolic link named as a path stands for its target. Links inside trees stay links.
    package var followsLinks = false

    package init(paths: [[UInt8]]) { self.paths = paths }

    private static let pathTag: UInt16 = 1
    private static let flagsTag: UInt16 = 2

    init(payload: [UInt8]) throws(ProtocolFault) {
        paths = []
        var flags: UInt32?
        var reader = RecordReader(payload)
        while let field = try reader.next() {
            switch field.tag {
            case Self.pathTag: paths.append(try field.path())
            case Self.flagsTag: try field.once(&flags, field.flags(known: 1))
            default: throw ProtocolFault.unknownField(field.tag)
            }
        }
        guard !paths.isEmpty else { throw ProtocolFault.missingField(Self.pathTag) }
        followsLinks = flags == 1
    }

    var payload: [UInt8] {
        var record = RecordWriter()
        for path in paths { record.add(Self.pathTag, path) }
        record.add(Self.flagsTag, integer: UInt32(followsLinks ? 1 : 0))
        return record.bytes
    }
}
