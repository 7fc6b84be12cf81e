internal import CRuntime
package import Aerie
package import ControlAPI
internal import Glibc
internal import HostSystem

/// Starts the process of a machine: the program `aerie-vm`, beside the running program.
package struct MachineProgram: Sendable {
    private let path: String
    /// Whether the caller is a program that lives on beside its machines: their processes are reaped, and their messages go to their logs.
    private let isEmbedded: Bool

    /// The program for the library.
    ///
    /// - Parameter path: nil to look beside the running program, in `libexec` of the same prefix and in PATH, in this order.
    /// - Throws: `unavailable` when the program is not there.
    package init(embedded path: String?) throws(AerieError) {
        isEmbedded = true
        let asked = "starting a machine"
        if let path {
            guard access(path, X_OK) == 0 else {
                throw AerieError(
                    .unavailable, asked: asked, found: "\(path) is not a program that this user can execute",
                    advice: "give the path of aerie-vm")
            }
            self.path = path
            return
        }
        let search = getenv("PATH").map { String(cString: $0) } ?? ""
        let places = Self.usualPlaces + search.split(separator: ":").map { "\($0)/aerie-vm" }
        guard let found = places.first(where: { $0.hasPrefix("/") && access($0, X_OK) == 0 }) else {
            throw AerieError(
                .unavailable, asked: asked,
                found: "the program aerie-vm is neither beside this program (\(places[0])) nor in PATH",
                advice:
                    "build it with 'swift build -c release --product aerie-vm' and install it, or give its path to MachineStore"
            )
        }
        self.path = found
    }

    /// Where the program is built and where it is installed: beside, or in libexec of the same prefix.
    private static var usualPlaces: [String] {
        let own = ownPath
        let directory = own.lastIndex(of: UInt8(ascii: "/")).map { own[...$0] } ?? []
        return ["aerie-vm", "../libexec/aerie/aerie-vm"].map { String(decoding: directory, as: UTF8.self) + $0 }
    }

    /// - Throws: `unavailable` when the program is not there.
    package init() throws(AerieError) {
        isEmbedded = false
        let places = Self.usualPlaces
        guard let found = places.first(where: { access($0, X_OK) == 0 }) else {
            throw AerieError(
                .unavailable, asked: "starting a machine", found: "the program \(places[0]) is not there",
                advice: "build it with 'swift build -c release --product aerie-vm'")
        }
        path = found
    }

    /// How the programs of Aerie are known again: the running one and `aerie-vm`.
    package static func stamps() throws(AerieError) -> [SnapshotRecord.Stamp] {
        let paths = [String(decoding: ownPath, as: UTF8.self), try MachineProgram().path]
        do throws(SystemError) {
            return try paths.map { path throws(SystemError) in
                try SnapshotRecord.Stamp(file: path, followsLinks: true)
            }
        } catch { throw AerieError(opening: "the programs of Aerie", error) }
    }

    private static var ownPath: [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes { readlink("/proc/self/exe", $0.baseAddress!, $0.count) }
        return Array(buffer.prefix(max(count, 0)))
    }

    /// Replaces this process by the machine's, on the same standard streams. Returns only by an error.
    ///
    /// - Parameter lease: stays open for as long as the machine's processes live; -1 for none.
    package func become(_ machine: Machine, lease: Int32) throws(AerieError) -> Never {
        BootCode.give(to: machine, program: path)
        let code = Self.withArguments([path, "--machine", machine.directory, "--foreground"]) {
            aerie_become(path, $0, lease)
        }
        throw AerieError(opening: "starting a machine", SystemError("execute \(path)", code: code))
    }

    /// Keeps a machine running that was started with `startAttended`. The machine is killed when this value goes away, or the process that
    /// has it.
    package struct Attendance: ~Copyable {
        fileprivate let reader: FileDescriptor

        /// The report of the machine's end, as the answer to `ControlRequest.Method.wait` has it; nil before the end, and when it was read.
        package func readEnd() -> JSONValue? {
            var entry = pollfd(fd: reader.rawValue, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 0) > 0, entry.revents & Int16(POLLIN) != 0 else { return nil }
            var line = [UInt8](repeating: 0, count: ControlRequest.longestLine)
            let count = (try? line.withUnsafeMutableBytes { try reader.read(into: $0) }) ?? 0
            guard count > 0, case .result(let value) = ControlAnswer.read(Array(line[..<(count - 1)]))?.answer else {
                return nil
            }
            return value
        }
    }

    /// Starts the machine in the background and returns when its guest runs.
    ///
    /// - Parameters:
    ///   - lease: stays open for as long as the machine's processes live; -1 for none.
    ///   - memory: what the machine begins with, unless that is in its directory; the descriptors stay the caller's.
    ///   - body: called when the guest runs. A copy that is not somebody else goes away when this process ends meanwhile.
    /// - Throws: the reason why the machine did not start, and the errors of `body`.
    package func start(
        _ machine: Machine, lease: Int32, memory: GivenMemory? = nil, _ body: () throws -> Void = {}
    ) throws {
        let options =
            switch memory {
            case .arrival: ["--arriving"]
            case .fork: ["--forked"]
            case nil: [String]()
            }
        let reader = try start(machine, lease: lease, options, memory)
        try body()
        _ = consume reader
    }

    /// As `start`, for a machine that shall not outlive its caller.
    ///
    /// - Parameters:
    ///   - commandIsLater: whether the caller runs the machine's command through the guest's agent.
    ///   - isForImage: whether the caller makes the snapshot of the machine's image before.
    package func startAttended(
        _ machine: Machine, lease: Int32, commandIsLater: Bool = false, isForImage: Bool = false
    ) throws(AerieError) -> Attendance {
        let option =
            isForImage ? "--attended-for-image" : commandIsLater ? "--attended-for-command" : "--attended"
        return Attendance(reader: try start(machine, lease: lease, [option], isAttended: true))
    }

    private func start(
        _ machine: Machine, lease: Int32, _ options: [String], _ memory: GivenMemory? = nil, isAttended: Bool = false
    ) throws(AerieError) -> FileDescriptor {
        if memory == nil { BootCode.give(to: machine, program: path) }
        var ends: [Int32] = [-1, -1]
        guard aerie_start_pipe(&ends) == 0 else { throw failure(.last("pipe")) }
        let reader = FileDescriptor(owning: ends[0])
        do {
            // Closed here before the wait: its end is the end of the machine's process.
            let writer = FileDescriptor(owning: ends[1])
            // Who attends to the machine reads its messages.
            let log = !isAttended || isEmbedded ? try openLog(machine) : try ownStandardError()
            var process: Int32 = 0
            let code = MachineLock.forkGuard.withLock { _ in
                Self.withArguments([path, "--machine", machine.directory] + options) {
                    aerie_spawn_machine(
                        &process, path, $0, machine.record.workingDirectory, log.rawValue, writer.rawValue, lease,
                        memory?.numbers ?? [], Int32(memory?.numbers.count ?? 0))
                }
            }
            guard code == 0 else { throw failure(SystemError("execute \(path)", code: code)) }
            if isEmbedded { Self.reap(process) }
            _ = consume writer
        }
        do throws(AerieError) {
            try Self.awaitStart(reader, machine)
        } catch {
            // Nobody may have taken it.
            SavedCodeLink.boot.discard(of: machine)
            throw error
        }
        return reader
    }

    /// Waits for the end of a child on a thread of its own.
    private static func reap(_ process: Int32) {
        _ = try? HostThread(name: "machine-reap") {
            var status: Int32 = 0
            while waitpid(process, &status, 0) < 0, errno == EINTR {}
        }
    }

    private func ownStandardError() throws(AerieError) -> FileDescriptor {
        do throws(SystemError) {
            return try FileDescriptor(duplicating: STDERR_FILENO, least: 3)
        } catch { throw failure(error) }
    }

    private func openLog(_ machine: Machine) throws(AerieError) -> FileDescriptor {
        do throws(SystemError) {
            // Each start begins a new log; the text of the one before is in the status.
            return try FileDescriptor(
                path: machine.file(Machine.logName), flags: O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW,
                mode: 0o600)
        } catch { throw failure(error) }
    }

    private func failure(_ error: SystemError) -> AerieError { AerieError(opening: "starting a machine", error) }

    private static func awaitStart(_ reader: borrowing FileDescriptor, _ machine: Machine) throws(AerieError) {
        var line: [UInt8] = []
        // The report of the end may be there already, behind the answer; it is left to `Attendance.readEnd`.
        var byte: [UInt8] = [0]
        while line.last != 0x0A, line.count < ControlRequest.longestLine {
            let count = (try? byte.withUnsafeMutableBytes { try reader.read(into: $0) }) ?? 0
            if count == 0 { break }
            line += byte
        }
        guard let (_, answer) = ControlAnswer.read(Array(line.dropLast(line.last == 0x0A ? 1 : 0))) else {
            throw AerieError(
                .notStarted, asked: "starting machine '\(machine.record.name)'", found: "its process ended early",
                advice: "see \(machine.file(Machine.logName))")
        }
        if case .failure(let error) = answer { throw error }
    }

    private static func withArguments(
        _ words: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Int32
    ) -> Int32 {
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        return body(&arguments)
    }
}
