/// FORWARD: after DONE the connection carries the bytes of a socket inside the guest, in both directions.
package enum ForwardRequest: Equatable {
    /// A stream socket of Unix.
    case unix(path: [UInt8])
    /// A TCP port; nil means the guest's loopback, otherwise a numeric IPv4 or IPv6 address.
    case tcp(address: [UInt8]?, port: UInt16)
    /// A connection of which ARRIVED has told.
    case arrived(UInt32)

    private enum Tag {
        static let family: UInt16 = 1
        static let path: UInt16 = 2
        static let address: UInt16 = 3
        static let port: UInt16 = 4
        static let connection: UInt16 = 5
    }

    /// The longest path of a socket of Unix, without its final zero byte.
    package static let longestPath = 107

    init(payload: [UInt8]) throws(ProtocolFault) {
        var family: UInt32?
        var path: [UInt8]?
        var address: [UInt8]?
        var port: UInt16?
        var connection: UInt32?
        var reader = RecordReader(payload)
        while let field = try reader.next() {
            switch field.tag {
            case Tag.family: try field.once(&family, field.integer())
            case Tag.path: try field.once(&path, field.text(limit: Self.longestPath, canBeEmpty: false))
            case Tag.address: try field.once(&address, field.text(limit: 64, canBeEmpty: false))
            case Tag.port: try field.once(&port, field.integer())
            case Tag.connection: try field.once(&connection, field.integer())
            default: throw ProtocolFault.unknownField(field.tag)
            }
        }
        switch family {
        case 1:
            guard let path else { throw ProtocolFault.missingField(Tag.path) }
            guard address == nil, port == nil, connection == nil else { throw ProtocolFault.invalidField(Tag.family) }
            self = .unix(path: path)
        case 2:
            guard let port else { throw ProtocolFault.missingField(Tag.port) }
            guard path == nil, connection == nil else { throw ProtocolFault.invalidField(Tag.family) }
            guard port != 0 else { throw ProtocolFault.invalidField(Tag.port) }
            self = .tcp(address: address, port: port)
        case 3:
            guard let connection else { throw ProtocolFault.missingField(Tag.connection) }
            guard path == nil, address == nil, port == nil else { throw ProtocolFault.invalidField(Tag.family) }
            self = .arrived(connection)
        case nil: throw ProtocolFault.missingField(Tag.family)
        default: throw ProtocolFault.invalidField(Tag.family)
        }
    }

    var payload: [UInt8] {
        var record = RecordWriter()
        switch self {
        case .unix(let path):
            record.add(Tag.family, integer: UInt32(1))
            record.add(Tag.path, path)
        case .tcp(let address, let port):
            record.add(Tag.family, integer: UInt32(2))
            record.add(Tag.address, ifThere: address)
            record.add(Tag.port, integer: port)
        case .arrived(let connection):
            record.add(Tag.family, integer: UInt32(3))
            record.add(Tag.connection, integer: connection)
        }
        return record.bytes
    }
}
