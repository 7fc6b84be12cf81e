/// LISTEN: a stream socket of Unix in the guest. ARRIVED names each connection that a program of the guest makes, and the client takes it over
/// with FORWARD.
package struct ListenRequest: Equatable {
    /// The name of the socket, which must not exist: at most `ForwardRequest.longestPath` bytes.
    package var path: [UInt8]
    /// The owner of the socket, who alone can connect besides root, as `NAME|UID[:GROUP|GID]`; nil means root.
    package var user: [UInt8]?

    package init(path: [UInt8]) { self.path = path }

    private enum Tag {
        static let path: UInt16 = 1
        static let user: UInt16 = 2
    }

    init(payload: [UInt8]) throws(ProtocolFault) {
        var path: [UInt8]?
        var user: [UInt8]?
        var reader = RecordReader(payload)
        while let field = try reader.next() {
            switch field.tag {
            case Tag.path: try field.once(&path, field.text(limit: ForwardRequest.longestPath, canBeEmpty: false))
            case Tag.user: try field.once(&user, field.text())
            default: throw ProtocolFault.unknownField(field.tag)
            }
        }
        guard let path else { throw ProtocolFault.missingField(Tag.path) }
        self.path = path
        self.user = user
    }

    var payload: [UInt8] {
        var record = RecordWriter()
        record.add(Tag.path, path)
        record.add(Tag.user, ifThere: user)
        return record.bytes
    }
}
