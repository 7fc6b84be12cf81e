/// One message as it stands on the connection. `ClientMessage` and `AgentMessage` give it a meaning.
package struct Frame: Equatable {
    package let type: FrameType
    package let stream: UInt8
    package let payload: [UInt8]

    package init(_ type: FrameType, stream: UInt8 = 0, payload: [UInt8] = []) {
        self.type = type
        self.stream = stream
        self.payload = payload
    }

    /// The frame's bytes: header and payload. Whoever makes a frame keeps to the type's largest payload.
    package func append(to bytes: inout [UInt8]) {
        precondition(payload.count <= type.largestPayload, "a frame's payload is within its type's bound")
        bytes.reserveCapacity(bytes.count + FrameHeader.size + payload.count)
        FrameHeader(type, stream: stream, length: payload.count).append(to: &bytes)
        bytes.append(contentsOf: payload)
    }
}
