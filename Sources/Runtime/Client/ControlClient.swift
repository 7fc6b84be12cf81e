internal import CSockets
package import Aerie
package import ControlAPI
internal import Glibc
internal import HostSystem

/// A connection to the control socket of a running machine.
///
/// One thread uses a connection at a time. Calls wait for the machine's answer.
package final class ControlClient: @unchecked Sendable {
    // @unchecked: `rest`, `received` and `lastID` belong to the thread that uses the connection.

    private let machine: Machine
    private let socket: FileDescriptor
    private var rest: [UInt8] = []
    /// As many as a memory has at most.
    private let received = ReceivedFiles(most: 16)
    private var lastID = 0
    /// Whether the machine's process is asked, while an answer does not come, whether it is there.
    private var watchesMachine: Bool
    /// When the answer to the last request has to be there; nil for any time.
    private var deadline: UInt64?

    /// Milliseconds without an answer before the machine's process is asked whether it is there, and seconds for that.
    private static let silenceLimit: Int32 = 10_000
    private static let greetingLimit = 10
    /// Nanoseconds for an answer to requests that take the machine moments.
    private static let shortLimit: UInt64 = 60_000_000_000
    private static let longMethods: Set<ControlRequest.Method> = [
        .wait, .waitForAgent, .attach, .save, .fork, .saveCode, .transfer, .sendPages, .hold,
    ]

    /// Connects, and reads the machine's greeting.
    ///
    /// - Parameter limit: seconds in which each answer comes; nil to wait for ever.
    /// - Throws: `usage` when the machine does not run.
    package init(_ machine: Machine, limit: Int? = nil) throws(AerieError) {
        self.machine = machine
        watchesMachine = limit == nil
        do throws(SystemError) {
            // A path of any length: names of sockets have 107 bytes.
            let directory = try FileDescriptor(path: machine.directory, flags: O_RDONLY | O_DIRECTORY)
            let path = "/proc/self/fd/\(directory.rawValue)/\(Machine.controlName)"
            let descriptor = try checked("connect") { aerie_stream_connect(path) }
            socket = FileDescriptor(owning: descriptor)
            let flags = fcntl(socket.rawValue, F_GETFL)
            _ = try checked("fcntl") { fcntl(socket.rawValue, F_SETFL, flags & ~O_NONBLOCK) }
            if let limit {
                var time = timeval(tv_sec: limit, tv_usec: 0)
                let size = socklen_t(MemoryLayout<timeval>.size)
                _ = try checked("setsockopt") { setsockopt(socket.rawValue, SOL_SOCKET, SO_RCVTIMEO, &time, size) }
            }
        } catch {
            throw Self.refusal(error, machine)
        }
        let line = try readLine()
        let greeting = try? JSONValue(parsing: line)
        guard let version = greeting?["version"]?.integer else { throw lost() }
        guard version == ControlRequest.protocolVersion else {
            throw AerieError(
                .unavailable, asked: "machine '\(machine.record.name)'",
                found: "its control protocol has version \(version), and this program's has version "
                    + "\(ControlRequest.protocolVersion)", advice: "use the program that started the machine")
        }
    }

    private static func refusal(_ error: SystemError, _ machine: Machine) -> AerieError {
        let asked = "machine '\(machine.record.name)'"
        switch error.code {
        case ENOENT, ECONNREFUSED:
            return AerieError(.usage, asked: asked, found: "it is not running", advice: "start it with 'aerie start'")
        case EAGAIN:
            return AerieError(.unavailable, asked: asked, found: "too many programs talk to it", advice: "try again")
        default: return AerieError(.inputOutput, asked: asked, found: error.description)
        }
    }

    /// Sends a request and waits for its answer.
    ///
    /// - Parameter files: descriptors that the machine gets with the request. They stay the caller's.
    /// - Throws: the machine's refusal, or `inputOutput` when the machine ends before it answers.
    @discardableResult
    package func call(
        _ method: ControlRequest.Method, _ parameters: [String: JSONValue] = [:], files: [Int32] = []
    ) throws(AerieError) -> JSONValue {
        try begin(method, parameters, files: files)
        return try awaitAnswer()
    }

    /// Sends a request. `awaitAnswer` comes before the next one; meanwhile, the descriptor of `stream` becomes readable when there is an answer
    /// or the machine ends.
    package func begin(
        _ method: ControlRequest.Method, _ parameters: [String: JSONValue] = [:], files: [Int32] = []
    ) throws(AerieError) {
        lastID += 1
        // Whoever waits for the end of a machine that stands still waits for that, too.
        watchesMachine = watchesMachine && method != .wait
        deadline = Self.longMethods.contains(method) ? nil : HostClock.monotonic() &+ Self.shortLimit
        let line = ControlRequest(id: lastID, method: method, parameters: .object(parameters)).line
        do throws(SystemError) {
            try line.withRawBytes { (bytes) throws(SystemError) in
                try Self.send(bytes, files, socket.rawValue)
            }
        } catch { throw lost() }
    }

    /// Waits for the answer to the last request.
    package func awaitAnswer() throws(AerieError) -> JSONValue {
        while true {
            guard let (id, answer) = ControlAnswer.read(try readLine()) else { throw lost() }
            guard id == lastID else { continue }
            switch answer {
            case .result(let value): return value
            case .failure(let error): throw error
            }
        }
    }

    /// The files that have come with answers, which are the caller's then; nil when their number is another one.
    func takeFiles(_ count: Int) -> [Int32]? { received.take(count) }

    /// The socket, for what follows an `attach`, and the bytes of it that were read already.
    package var stream: (descriptor: Int32, begun: [UInt8]) { (socket.rawValue, rest) }

    /// The error of a machine that does not answer within the limit.
    package static func silence(of machine: Machine) -> AerieError {
        AerieError(
            .unavailable, asked: "machine '\(machine.record.name)'", found: "it does not answer",
            advice: "'aerie rm --force \(machine.record.name)' kills it")
    }

    private func lost() -> AerieError {
        AerieError(
            .inputOutput, asked: "machine '\(machine.record.name)'", found: "it ended before it answered",
            advice: "see 'aerie inspect \(machine.record.name)'")
    }

    /// Waits until there is something to read.
    ///
    /// - Throws: `unavailable` when the machine's process does not greet a second connection either, or has not done in time what takes moments.
    private func awaitBytes() throws(AerieError) {
        while true {
            var entry = pollfd(fd: socket.rawValue, events: Int16(POLLIN), revents: 0)
            let result = poll(&entry, 1, Self.silenceLimit)
            if result > 0 || result < 0 && errno != EINTR { return }
            guard result == 0 else { continue }
            if let deadline, HostClock.monotonic() >= deadline { throw Self.silence(of: machine) }
            do throws(AerieError) {
                _ = try ControlClient(machine, limit: Self.greetingLimit)
            } catch  where error.category == .unavailable {
                throw error
            } catch {
                // It ends, which this connection hears of.
            }
        }
    }

    private func readLine() throws(AerieError) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            if let end = rest.firstIndex(of: 0x0A) {
                defer { rest.removeFirst(end + 1) }
                return Array(rest[..<end])
            }
            guard rest.count <= ControlRequest.longestLine else { throw lost() }
            if watchesMachine { try awaitBytes() }
            let count = buffer.withUnsafeMutableBytes { received.receive(socket.rawValue, into: $0) }
            if count < 0, errno == EAGAIN { throw Self.silence(of: machine) }
            if count <= 0 { throw lost() }
            rest += buffer[..<count]
        }
    }

    private static func send(
        _ bytes: UnsafeRawBufferPointer, _ files: [Int32], _ descriptor: Int32
    ) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            // They go with the first bytes.
            let files = done == 0 ? files : []
            done += try checked("send") {
                aerie_stream_send(
                    descriptor, bytes.baseAddress! + done, UInt(bytes.count - done), files, Int32(files.count))
            }
        }
    }
}
