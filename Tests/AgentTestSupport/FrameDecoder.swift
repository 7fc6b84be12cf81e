package import AgentProtocol

/// Cuts a stream of bytes into frames, whatever pieces the bytes come in.
///
/// The decoder keeps at most one unfinished frame and the last piece: a header is checked as soon as its eight bytes
/// are there, so a sender that announces a length beyond its type's bound costs no memory.
package struct FrameDecoder {
    private var bytes: [UInt8] = []
    private var position = 0

    package init() {}

    /// How many bytes wait for the rest of their frame, or for `next`.
    package var waiting: Int { bytes.count - position }

    /// Takes bytes from the connection. Call `next` until it returns nil before the next piece.
    package mutating func append(_ piece: UnsafeRawBufferPointer) {
        if position == bytes.count {
            bytes.removeAll(keepingCapacity: bytes.capacity <= 2 * AgentLimits.data)
            position = 0
        } else if position >= AgentLimits.data {
            bytes.removeFirst(position)
            position = 0
        }
        bytes.append(contentsOf: piece)
    }

    package mutating func append(_ piece: [UInt8]) { piece.withUnsafeBytes { append($0) } }

    /// The next whole frame, or nil if more bytes must come first.
    ///
    /// After a throw the stream has no meaning any more: end the session.
    package mutating func next() throws(ProtocolFault) -> Frame? {
        guard waiting >= FrameHeader.size else { return nil }
        let header = try FrameHeader(bytes, at: position)
        guard waiting - FrameHeader.size >= header.length else { return nil }
        let start = position + FrameHeader.size
        position = start + header.length
        return Frame(header.type, stream: header.stream, payload: Array(bytes[start..<position]))
    }

    /// Takes the bytes behind the last frame, for a connection that becomes a raw stream.
    package mutating func takeRest() -> [UInt8] {
        let rest = Array(bytes[position...])
        bytes = []
        position = 0
        return rest
    }
}
