/// A message from the client, on the host, to the agent, in the guest.
package enum ClientMessage: Equatable {
    case hello(version: UInt32)
    case request(AgentRequest)
    /// Bytes of standard input or of a tar stream, within the credit.
    case data([UInt8])
    case end
    /// A signal's number, 1 to 64, for the command's process group.
    case signal(UInt32)
    case window(rows: UInt16, columns: UInt16)

    package init(_ frame: Frame) throws(ProtocolFault) {
        if let request = try AgentRequest(frame) {
            self = .request(request)
            return
        }
        switch frame.type {
        case .hello:
            guard let version: UInt32 = frame.payload.integer() else { throw ProtocolFault.length }
            self = .hello(version: version)
        case .data:
            guard frame.stream == 0 else { throw ProtocolFault.stream }
            guard !frame.payload.isEmpty else { throw ProtocolFault.length }
            self = .data(frame.payload)
        case .end:
            guard frame.stream == 0 else { throw ProtocolFault.stream }
            guard frame.payload.isEmpty else { throw ProtocolFault.length }
            self = .end
        case .signal:
            guard let number: UInt32 = frame.payload.integer() else { throw ProtocolFault.length }
            guard 1...64 ~= number else { throw ProtocolFault.invalidValue }
            self = .signal(number)
        case .window:
            guard frame.payload.count == 4, let rows: UInt16 = frame.payload.integer(at: 0),
                let columns: UInt16 = frame.payload.integer(at: 2)
            else { throw ProtocolFault.length }
            self = .window(rows: rows, columns: columns)
        default: throw ProtocolFault.unknownType(frame.type.rawValue)
        }
    }

    /// The frame to send, or nil if a request or a piece of data is larger than a frame may be.
    package var frame: Frame? {
        var payload: [UInt8] = []
        switch self {
        case .hello(let version):
            payload.appendInteger(version)
            return Frame(.hello, payload: payload)
        case .request(let request): return request.frame
        case .data(let bytes): return 1...AgentLimits.data ~= bytes.count ? Frame(.data, payload: bytes) : nil
        case .end: return Frame(.end)
        case .signal(let number):
            payload.appendInteger(number)
            return Frame(.signal, payload: payload)
        case .window(let rows, let columns):
            payload.appendInteger(rows)
            payload.appendInteger(columns)
            return Frame(.window, payload: payload)
        }
    }
}
