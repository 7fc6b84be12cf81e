/// The eight bytes in front of each payload:
///
///     0  u32  length of the payload
///     4  u8   type
///     5  u8   stream: 0 input, 1 output, 2 error output
///     6  u16  zero
package struct FrameHeader: Equatable {
    package static let size = 8
    package static let lastStream: UInt8 = 2

    package let type: FrameType
    package let stream: UInt8
    package let length: Int

    package init(_ type: FrameType, stream: UInt8 = 0, length: Int) {
        self.type = type
        self.stream = stream
        self.length = length
    }

    /// Decodes the first eight bytes, which the caller has found to be there.
    package init(_ bytes: UnsafeRawBufferPointer) throws(ProtocolFault) {
        precondition(bytes.count >= Self.size, "a header has eight bytes")
        guard let type = FrameType(rawValue: bytes[4]) else { throw ProtocolFault.unknownType(bytes[4]) }
        guard bytes[6] == 0, bytes[7] == 0 else { throw ProtocolFault.reservedBits }
        let stream = bytes[5]
        guard stream <= (type.hasStream ? Self.lastStream : 0) else { throw ProtocolFault.stream }
        var length: UInt32 = 0
        for index in 0..<4 { length |= UInt32(bytes[index]) << UInt32(8 * index) }
        guard length <= UInt32(type.largestPayload) else { throw ProtocolFault.length }
        self.init(type, stream: stream, length: Int(length))
    }

    /// Decodes eight bytes at `offset`, which the caller has found to be there.
    package init(_ bytes: [UInt8], at offset: Int) throws(ProtocolFault) {
        self = try bytes.withUnsafeBufferPointer { (bytes) throws(ProtocolFault) in
            try FrameHeader(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[offset...])))
        }
    }

    package func append(to bytes: inout [UInt8]) {
        bytes.appendInteger(UInt32(length))
        bytes.append(type.rawValue)
        bytes.append(stream)
        bytes.appendInteger(UInt16(0))
    }
}
