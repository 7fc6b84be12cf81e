/// A new process and the agent's ends of its streams.
struct CommandStart: ~Copyable {
    let process: Int32
    /// Closed when the process has become the command; otherwise it gets the reason.
    var report: Descriptor?
    /// The writing end of the command's input, if the client sends it.
    var input: Descriptor?
    /// The reading end of the command's output, or the agent's end of its terminal.
    var output: Descriptor?
    var errors: Descriptor?

    var reportNumber: Int32? { report.number }
    var inputNumber: Int32? { input.number }
    var outputNumber: Int32? { output.number }
    var errorsNumber: Int32? { errors.number }

    init(_ program: borrowing ChildProgram, _ request: ExecuteRequest) throws(Errno) {
        let reporting = try Descriptor.pipe(nonblocking: false)
        reporting.reading.setNonblocking()
        if request.hasTerminal {
            let terminal = try Terminal(rows: request.rows, columns: request.columns, owner: program.account.user)
            let end = terminal.commandEnd.number
            process = try Self.start(program, (end, end, end), isTerminal: true, report: reporting.writing.number)
            output = terminal.takeAgentEnd()
        } else {
            let outputs = try Descriptor.pipe(nonblocking: false)
            let errorOutputs = try Descriptor.pipe(nonblocking: false)
            outputs.reading.setNonblocking()
            errorOutputs.reading.setNonblocking()
            outputs.enlarge()
            let inputs = try Self.input(request)
            process = try Self.start(
                program, (inputs.reading.number, outputs.writing.number, errorOutputs.writing.number),
                isTerminal: false, report: reporting.writing.number)
            output = outputs.takeReading()
            errors = errorOutputs.takeReading()
            if request.hasInput { input = inputs.takeWriting() }
        }
        report = reporting.takeReading()
    }

    private static func start(
        _ program: borrowing ChildProgram, _ streams: (Int32, Int32, Int32), isTerminal: Bool, report: Int32
    ) throws(Errno) -> Int32 {
        let process = try Process.fork()
        guard process == 0 else { return process }
        program.run(streams, isTerminal: isTerminal, report: report)
    }

    /// A pipe, or /dev/null at both ends.
    private static func input(_ request: ExecuteRequest) throws(Errno) -> Pipe {
        if request.hasInput {
            let pipe = try Descriptor.pipe(nonblocking: false)
            pipe.writing.setNonblocking()
            pipe.enlarge()
            return pipe
        }
        return Pipe(
            reading: try FileAccess.open([UInt8]("/dev/null"), OpenFlags.read),
            writing: try FileAccess.open([UInt8]("/dev/null"), OpenFlags.write))
    }

    mutating func close() {
        report = nil
        input = nil
        output = nil
        errors = nil
    }
}
