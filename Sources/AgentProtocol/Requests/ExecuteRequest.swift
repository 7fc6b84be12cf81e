/// EXEC: a command to start in the guest.
package struct ExecuteRequest: Equatable {
    /// The program and its arguments; at least the program. A name without a slash is looked up in PATH.
    package var arguments: [[UInt8]]
    /// `K=V` each, in addition to the default environment; of two of a name the later one holds.
    package var environment: [[UInt8]] = []
    /// Where the command starts; nil means the user's home, or `/` where that does not exist.
    package var directory: [UInt8]?
    /// `NAME|UID[:GROUP|GID]`; nil means root.
    package var user: [UInt8]?
    /// Whether the command has a terminal of its own.
    package var hasTerminal = false
    /// Whether the client sends standard input. If false, the command's input is /dev/null.
    package var hasInput = false
    /// The terminal's size in characters; zero means 24 rows, 80 columns.
    package var rows: UInt16 = 0
    package var columns: UInt16 = 0

    package init(arguments: [[UInt8]]) { self.arguments = arguments }

    private enum Tag {
        static let argument: UInt16 = 1
        static let environment: UInt16 = 2
        static let directory: UInt16 = 3
        static let user: UInt16 = 4
        static let flags: UInt16 = 5
        static let rows: UInt16 = 6
        static let columns: UInt16 = 7
    }

    private enum Flag {
        static let terminal: UInt32 = 1
        static let input: UInt32 = 2
    }

    init(payload: [UInt8]) throws(ProtocolFault) {
        arguments = []
        var flags: UInt32?
        var rows: UInt16?
        var columns: UInt16?
        var reader = RecordReader(payload)
        while let field = try reader.next() {
            switch field.tag {
            case Tag.argument: arguments.append(try field.text())
            case Tag.environment:
                let text = try field.text()
                // A name is not empty: "=V" is refused.
                guard let equals = text.firstIndex(of: UInt8(ascii: "=")), equals > 0 else { throw field.fault }
                environment.append(text)
            case Tag.directory: try field.once(&directory, field.path())
            case Tag.user: try field.once(&user, field.text(limit: 256, canBeEmpty: false))
            case Tag.flags: try field.once(&flags, field.flags(known: Flag.terminal | Flag.input))
            case Tag.rows: try field.once(&rows, field.integer())
            case Tag.columns: try field.once(&columns, field.integer())
            default: throw ProtocolFault.unknownField(field.tag)
            }
        }
        guard let program = arguments.first else { throw ProtocolFault.missingField(Tag.argument) }
        guard !program.isEmpty else { throw ProtocolFault.invalidField(Tag.argument) }
        hasTerminal = (flags ?? 0) & Flag.terminal != 0
        hasInput = (flags ?? 0) & Flag.input != 0
        self.rows = rows ?? 0
        self.columns = columns ?? 0
    }

    /// The record, for a file that the agent reads when it starts the machine's command; nil for one that is too large for the agent.
    package var record: [UInt8]? {
        let payload = payload
        return payload.count <= AgentLimits.payload && fields <= AgentLimits.fields ? payload : nil
    }

    /// At most so many fields the record has.
    var fields: Int { arguments.count + environment.count + 5 }

    var payload: [UInt8] {
        var record = RecordWriter()
        for argument in arguments { record.add(Tag.argument, argument) }
        for variable in environment { record.add(Tag.environment, variable) }
        record.add(Tag.directory, ifThere: directory)
        record.add(Tag.user, ifThere: user)
        record.add(Tag.flags, integer: (hasTerminal ? Flag.terminal : 0) | (hasInput ? Flag.input : 0))
        if rows != 0 { record.add(Tag.rows, integer: rows) }
        if columns != 0 { record.add(Tag.columns, integer: columns) }
        return record.bytes
    }
}
