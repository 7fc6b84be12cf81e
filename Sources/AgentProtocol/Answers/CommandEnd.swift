/// EXIT: how a command ended. u32 kind, u32 value.
package enum CommandEnd: Equatable {
    /// The exit status, 0 to 255.
    case exited(UInt8)
    /// The signal's number, 1 to 64.
    case signalled(UInt8)

    init(payload: [UInt8]) throws(ProtocolFault) {
        guard payload.count == 8, let kind: UInt32 = payload.integer(at: 0), let value: UInt32 = payload.integer(at: 4)
        else { throw ProtocolFault.length }
        switch kind {
        case 0 where value <= 255: self = .exited(UInt8(value))
        case 1 where 1...64 ~= value: self = .signalled(UInt8(value))
        default: throw ProtocolFault.invalidValue
        }
    }

    var payload: [UInt8] {
        var payload: [UInt8] = []
        switch self {
        case .exited(let status):
            payload.appendInteger(UInt32(0))
            payload.appendInteger(UInt32(status))
        case .signalled(let number):
            payload.appendInteger(UInt32(1))
            payload.appendInteger(UInt32(number))
        }
        return payload
    }

    /// The exit code that a shell reports: 128 and the signal's number for a signal.
    package var code: Int32 {
        switch self {
        case .exited(let status): Int32(status)
        case .signalled(let number): 128 + Int32(number)
        }
    }
}
