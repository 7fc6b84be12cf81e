/// ERROR: why the agent does not do, or no longer does, the request. u32 code, u32 errno, UTF-8 text.
package struct AgentFailure: Error, Equatable {
    package enum Code: UInt32 {
        /// The client broke the protocol.
        case faultyMessage = 1
        /// The agent has as many sessions as it can have.
        case busy = 2
        /// EXEC: the command does not exist (127). STAT, GET, PUT: the path does not exist.
        case notFound = 3
        /// EXEC: the command cannot be executed (126).
        case notExecutable = 4
        case badUser = 5
        case badDirectory = 6
        /// A file operation failed; the errno says how.
        case file = 7
        /// The guest or this agent cannot do it.
        case unsupported = 8
        case inside = 9
    }

    package let code: Code
    /// The guest's errno, or zero.
    package let errno: UInt32
    /// UTF-8, at most 1024 bytes. Text of a guest: escape control characters before a terminal gets it.
    package let text: [UInt8]

    /// Cuts the text to the longest that ERROR carries.
    package init(_ code: Code, errno: UInt32 = 0, text: [UInt8]) {
        self.code = code
        self.errno = errno
        self.text = Array(text.prefix(AgentLimits.errorText))
    }

    init(payload: [UInt8]) throws(ProtocolFault) {
        guard let number: UInt32 = payload.integer(at: 0), let errno: UInt32 = payload.integer(at: 4),
            payload.count - 8 <= AgentLimits.errorText
        else { throw ProtocolFault.length }
        guard let code = Code(rawValue: number), errno <= 4095 else { throw ProtocolFault.invalidValue }
        self.init(code, errno: errno, text: Array(payload[8...]))
    }

    var payload: [UInt8] {
        var payload: [UInt8] = []
        payload.appendInteger(code.rawValue)
        payload.appendInteger(errno)
        payload.append(contentsOf: text)
        return payload
    }
}
