import AerieMachines
import Glibc

/// Runs a Python program that nobody trusts: in a machine of its own, without a network, with a time limit.
///
///     PythonSandbox [--time SECONDS] [--image NAME] [FILE]
///
/// Without FILE, the program is read from standard input. Output and exit code are the program's; 124 says that it was killed at the limit. An image
/// with Python is made by `aerie image build debian --package python3`.
@main
struct PythonSandbox {
    /// Bytes of the program, and of its output, at most.
    static let limit = 1 << 20

    static func main() async {
        do {
            let options = try Options(Array(CommandLine.arguments.dropFirst()))
            let result = try await run(try options.program(), options)
            put(result.output, STDOUT_FILENO)
            put(result.error, STDERR_FILENO)
            if result.isTruncated { put(Array("PythonSandbox: the output is cut off\n".utf8), STDERR_FILENO) }
            exit(result.status.code)
        } catch let error as AerieError {
            put(Array("PythonSandbox: \(error)\n".utf8), STDERR_FILENO)
            exit(error.exitCode)
        } catch {
            put(Array("PythonSandbox: \(error)\n".utf8), STDERR_FILENO)
            exit(70)
        }
    }

    static func run(_ program: [UInt8], _ options: Options) async throws -> CommandResult {
        let store = try MachineStore()
        let image = try await store.image(options.image)
        guard image.packages["python3"] != nil else {
            throw AerieError(
                .unavailable, asked: "Python in the image \(image.name)", found: "the image lacks the package python3",
                advice: "build it with 'aerie image build debian --package python3'")
        }
        // A new configuration has no network card and no shared folder: the program reaches nothing but its own machine.
        var settings = MachineSettings(image: image)
        settings.configuration.memory = .mebibytes(256)
        return try await store.withMachine(settings) { machine in
            try await machine.waitUntilReady()
            try await machine.agent.writeFile("/tmp/program.py", program)
            // Isolated (-I): no modules of the directory, no variables, no user's packages. The user is nobody.
            var command: GuestCommand = ["python3", "-I", "/tmp/program.py"]
            command.user = "nobody"
            command.directory = "/tmp"
            command.timeLimit = options.timeLimit
            return try await machine.run(command, outputLimit: limit)
        }
    }

    static func put(_ bytes: [UInt8], _ descriptor: Int32) {
        var rest = bytes[...]
        while case let count = rest.withUnsafeBytes({ write(descriptor, $0.baseAddress, $0.count) }), count > 0 {
            rest = rest.dropFirst(count)
        }
    }
}

/// The words of the command line.
struct Options {
    var timeLimit = Duration.seconds(10)
    var image = "debian"
    var file: String?

    init(_ words: [String]) throws(AerieError) {
        var words = words[...]
        while let word = words.popFirst() {
            switch word {
            case "--time":
                guard let seconds = words.popFirst().flatMap({ Int($0) }), (1...3600).contains(seconds) else {
                    throw AerieError(.usage, asked: "--time", found: "it is not a number of seconds from 1 to 3600")
                }
                timeLimit = .seconds(seconds)
            case "--image":
                guard let name = words.popFirst() else {
                    throw AerieError(.usage, asked: "--image", found: "the image's name is missing")
                }
                image = name
            default: file = word
            }
        }
    }

    /// The program's text.
    func program() throws(AerieError) -> [UInt8] {
        let asked = file ?? "standard input"
        let descriptor = file.map { open($0, O_RDONLY | O_CLOEXEC) } ?? STDIN_FILENO
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= PythonSandbox.limit {
            let count = read(descriptor, &buffer, buffer.count)
            guard count >= 0 else { throw AerieError(.badInput, asked: asked, found: "it cannot be read") }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
        throw AerieError(.badInput, asked: asked, found: "it has more than \(PythonSandbox.limit) bytes")
    }
}
