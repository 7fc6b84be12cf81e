import Foundation
import GuestToolchain
import Testing

/// A `MachineHost` and what it says.
final class MachineHost {
    private let program: ChildProgram
    // Both ends stay open here, so that writing to a process that has ended is no SIGPIPE.
    private var input: [Int32] = [-1, -1]
    private let answers = Pipe()
    private let outputFile: String

    init(_ arguments: [String], in directory: TemporaryDirectory) throws {
        guard pipe(&input) == 0 else { throw POSIXError(.EMFILE) }
        outputFile = try directory.file("output-\(UUID().uuidString)", Data())
        let output = try directory.writer(outputFile)
        program = try ChildProgram(
            AerieProcess.path(of: "MachineHost"), arguments, input: input[0], output: output.fileDescriptor,
            error: answers.fileHandleForWriting.fileDescriptor)
        try answers.fileHandleForWriting.close()
    }

    deinit {
        kill()
        for end in input { close(end) }
    }

    var output: String {
        String(decoding: (try? Data(contentsOf: URL(filePath: outputFile))) ?? Data(), as: UTF8.self)
    }

    var isRunning: Bool { program.isRunning }

    /// The bytes of the process that are in the host's memory.
    var residentSize: UInt64 {
        let fields = try? String(contentsOfFile: "/proc/\(program.identifier)/statm", encoding: .utf8)
        let pages = fields.flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { UInt64($0) }
        return (pages ?? 0) * UInt64(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// Ends the process as a power failure would.
    func kill() { program.kill() }

    func send(_ line: String) {
        let bytes = Array("\(line)\n".utf8)
        #expect(write(input[1], bytes, bytes.count) == bytes.count)
    }

    /// The next line of standard error; nil at its end.
    func nextAnswer() -> String? {
        var line: [UInt8] = []
        while let byte = answers.fileHandleForReading.readData(ofLength: 1).first {
            if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
        return line.isEmpty ? nil : String(decoding: line, as: UTF8.self)
    }
}
