import Foundation

/// A user with machines of their own, on whom nobody else depends.
final class SnapshotUser {
    let aerie: String
    private let directory: URL
    /// The directories of the machines, between which they migrate.
    private var here = "here"
    private var there = "there"

    init(aerie: String) throws {
        guard FileManager.default.isExecutableFile(atPath: aerie) else {
            throw BenchmarkError("\(aerie) cannot be executed; build it with `swift build -c release --product aerie`")
        }
        self.aerie = aerie
        directory = FileManager.default.temporaryDirectory.appending(path: "aerie-snapshots-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
    }

    func remove() {
        for place in [here, there] {
            let names = (try? output(["ps", "--all", "--quiet"], place: place).split(separator: "\n")) ?? []
            if !names.isEmpty { _ = try? output(["rm", "--force"] + names.map(String.init), place: place) }
        }
        try? FileManager.default.removeItem(at: directory)
    }

    static func seconds(_ time: Duration) -> Double {
        Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
    }

    /// The wall-clock time of a command.
    func seconds(_ words: String...) throws -> Double {
        let start = ContinuousClock.now
        _ = try output(words, place: here)
        return Self.seconds(ContinuousClock.now - start)
    }

    func run(_ words: String...) throws { try run(words) }

    func run(_ words: [String]) throws { _ = try output(words, place: here) }

    /// Milliseconds of each pause that a machine's log has.
    func pauses(of machine: String) throws -> [Double] {
        guard let directory = try inspect(machine)["directory"] as? String else {
            throw BenchmarkError("`aerie inspect` does not name the machine's directory")
        }
        let log = try String(contentsOfFile: "\(directory)/vm.log", encoding: .utf8)
        return log.split(separator: "\n").compactMap { line in
            guard let range = line.range(of: "stood still for ") else { return nil }
            return Double(line[range.upperBound...].dropLast(3))
        }
    }

    /// Bytes of memory that the processes of a machine share with nobody.
    func privateMemory(of machine: String) throws -> Int {
        guard let status = try inspect(machine)["status"] as? [String: Any], let process = status["process"] as? Int
        else { throw BenchmarkError("`aerie inspect` does not name the machine's process") }
        return try ProcessTree.members(of: pid_t(process)).reduce(0) { total, process in
            let file = FileHandle(forReadingAtPath: "/proc/\(process)/smaps_rollup")
            let text = String(decoding: try file?.readToEnd() ?? Data(), as: UTF8.self)
            let kilobytes = text.split(separator: "\n").filter { $0.hasPrefix("Private_") }
                .compactMap { Int($0.split(separator: " ").dropFirst().first ?? "") }
            return total + kilobytes.reduce(0, +) << 10
        }
    }

    private func inspect(_ machine: String) throws -> [String: Any] {
        let text = try output(["inspect", machine], place: here)
        let machines = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]]
        return machines?.first ?? [:]
    }

    /// Moves a machine to the other directory, which is the user's from then on.
    func migrate(_ machine: String, _ options: [String] = []) throws -> SnapshotsReport.Migration {
        let socket = directory.appending(path: "in").path
        let receiver = process(["receive", "unix:\(socket)", "--no-publish"], place: there)
        try receiver.run()
        while receiver.isRunning, !FileManager.default.fileExists(atPath: socket) { usleep(1000) }
        // The file is there before somebody listens.
        usleep(100_000)
        let text = try output(["migrate", machine, "unix:\(socket)", "--format", "json"] + options, place: here)
        receiver.waitUntilExit()
        swap(&here, &there)
        guard let fields = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any],
            let downtime = fields["downtimeMicroseconds"] as? Double, let time = fields["microseconds"] as? Double,
            let bytes = fields["sentBytes"] as? Double
        else { throw BenchmarkError("`aerie migrate` does not say what it took: \(text)") }
        return SnapshotsReport.Migration(seconds: time / 1e6, downtime: downtime / 1000, megabytes: bytes / 1e6)
    }

    private func state(_ place: String) -> URL { directory.appending(path: place) }

    private func process(_ words: [String], place: String) -> Process {
        let process = Process()
        process.executableURL = URL(filePath: aerie)
        process.arguments = words
        process.environment = ProcessInfo.processInfo.environment.merging([
            "XDG_STATE_HOME": state(place).path, "XDG_CACHE_HOME": directory.appending(path: "cache").path,
        ]) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        return process
    }

    private func output(_ words: [String], place: String) throws -> String {
        let process = process(words, place: place)
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchmarkError("aerie \(words.joined(separator: " ")) ended with \(process.terminationStatus)")
        }
        return String(decoding: data, as: UTF8.self)
    }
}
