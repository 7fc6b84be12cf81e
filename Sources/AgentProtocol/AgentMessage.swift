/// A message from the agent, in the guest, to the client, on the host.
package enum AgentMessage: Equatable {
    /// The boot id has 16 bytes.
    case hello(version: UInt32, bootID: [UInt8])
    case started(processID: UInt32)
    /// Stream 1 is output, a terminal's bytes or a tar stream; stream 2 is error output.
    case data(stream: UInt8, [UInt8])
    case end(stream: UInt8)
    /// So many more bytes may be sent.
    case credit(UInt32)
    case exit(CommandEnd)
    /// What PUT and GET moved; zeros for other requests.
    case done(files: UInt64, bytes: UInt64)
    case status(FileStatus)
    case information(GuestInformation)
    /// A program of the guest has connected to the socket of LISTEN.
    case arrived(UInt32)
    case error(AgentFailure)

    package init(_ frame: Frame) throws(ProtocolFault) {
        let payload = frame.payload
        switch frame.type {
        case .hello:
            guard payload.count == 20, let version: UInt32 = payload.integer(at: 0) else { throw ProtocolFault.length }
            self = .hello(version: version, bootID: Array(payload[4...]))
        case .started:
            guard let number: UInt32 = payload.integer() else { throw ProtocolFault.length }
            guard number <= UInt32(Int32.max) else { throw ProtocolFault.invalidValue }
            self = .started(processID: number)
        case .data:
            guard frame.stream != 0 else { throw ProtocolFault.stream }
            guard !payload.isEmpty else { throw ProtocolFault.length }
            self = .data(stream: frame.stream, payload)
        case .end:
            guard frame.stream != 0 else { throw ProtocolFault.stream }
            guard payload.isEmpty else { throw ProtocolFault.length }
            self = .end(stream: frame.stream)
        case .credit:
            guard let bytes: UInt32 = payload.integer() else { throw ProtocolFault.length }
            guard 1...AgentLimits.credit ~= bytes else { throw ProtocolFault.invalidValue }
            self = .credit(bytes)
        case .exit: self = .exit(try CommandEnd(payload: payload))
        case .done:
            guard payload.count == 16, let files: UInt64 = payload.integer(at: 0),
                let bytes: UInt64 = payload.integer(at: 8)
            else { throw ProtocolFault.length }
            self = .done(files: files, bytes: bytes)
        case .fileStatus: self = .status(try FileStatus(payload: payload))
        case .information: self = .information(try GuestInformation(payload: payload))
        case .arrived:
            guard let number: UInt32 = payload.integer() else { throw ProtocolFault.length }
            self = .arrived(number)
        case .error: self = .error(try AgentFailure(payload: payload))
        default: throw ProtocolFault.unknownType(frame.type.rawValue)
        }
    }

    /// The frame to send. The agent keeps data and records within a frame's payload.
    package var frame: Frame {
        var payload: [UInt8] = []
        switch self {
        case .hello(let version, let bootID):
            payload.appendInteger(version)
            payload.append(contentsOf: bootID)
            return Frame(.hello, payload: payload)
        case .started(let number):
            payload.appendInteger(number)
            return Frame(.started, payload: payload)
        case .data(let stream, let bytes): return Frame(.data, stream: stream, payload: bytes)
        case .end(let stream): return Frame(.end, stream: stream)
        case .credit(let bytes):
            payload.appendInteger(bytes)
            return Frame(.credit, payload: payload)
        case .exit(let end): return Frame(.exit, payload: end.payload)
        case .done(let files, let bytes):
            payload.appendInteger(files)
            payload.appendInteger(bytes)
            return Frame(.done, payload: payload)
        case .status(let status): return Frame(.fileStatus, payload: status.payload)
        case .information(let information): return Frame(.information, payload: information.payload)
        case .arrived(let number):
            payload.appendInteger(number)
            return Frame(.arrived, payload: payload)
        case .error(let failure): return Frame(.error, payload: failure.payload)
        }
    }
}
