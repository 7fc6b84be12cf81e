import Foundation
import GuestToolchain

/// A user with machines of their own, on whom nobody else depends.
final class SnapshotUser {
    let aerie: String
    private let directory: URL
    /// The machines, and those of the other side of a migration.
    private var here: KeptMachines
    private var there: KeptMachines

    init(aerie: String) throws {
        self.aerie = aerie
        directory = FileManager.default.temporaryDirectory.appending(path: "aerie-snapshots-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        let cache = directory.appending(path: "cache")
        here = KeptMachines(aerie: aerie, directory: directory.appending(path: "here"), cache: cache)
        there = KeptMachines(aerie: aerie, directory: directory.appending(path: "there"), cache: cache)
    }

    func remove() {
        here.removeAll()
        there.removeAll()
        try? FileManager.default.removeItem(at: directory)
    }

    /// The wall-clock time of a command.
    func seconds(_ words: String...) throws -> Double {
        let start = ContinuousClock.now
        try here.run(words)
        return (ContinuousClock.now - start).seconds
    }

    /// The wall-clock time of a command that starts a machine, and until its guest ran.
    func seconds(toStart machine: String, _ words: String...) throws -> (running: Double, whole: Double) {
        let begin = Date()
        let start = ContinuousClock.now
        try here.run(words)
        let whole = (ContinuousClock.now - start).seconds
        guard let status = try here.inspect(machine)["status"] as? [String: Any],
            let started = status["started"] as? UInt64
        else { throw BenchmarkError("`aerie inspect` does not say when the guest of \(machine) has started") }
        return (Double(started) / 1e9 - begin.timeIntervalSince1970, whole)
    }

    func run(_ words: String...) throws { try here.run(words) }

    func run(_ words: [String]) throws { try here.run(words) }

    /// Milliseconds of each pause that a machine's log has.
    func pauses(of machine: String) throws -> [Double] {
        guard let directory = try here.inspect(machine)["directory"] as? String else {
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
        try ProcessTree.privateMemory(of: try here.process(of: machine))
    }

    /// Moves a machine to the other directory, which is the user's from then on.
    func migrate(_ machine: String, _ options: [String] = []) throws -> SnapshotsReport.Migration {
        let socket = directory.appending(path: "in").path
        let receiver = try there.start(["receive", "unix:\(socket)", "--no-publish"])
        while receiver.isRunning, !FileManager.default.fileExists(atPath: socket) { usleep(1000) }
        // The file is there before somebody listens.
        usleep(100_000)
        let text = try here.run(["migrate", machine, "unix:\(socket)", "--format", "json"] + options)
        try receiver.awaitEnd()
        swap(&here, &there)
        guard let fields = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any],
            let downtime = fields["downtimeMicroseconds"] as? Double, let time = fields["microseconds"] as? Double,
            let bytes = fields["sentBytes"] as? Double
        else { throw BenchmarkError("`aerie migrate` does not say what it took: \(text)") }
        return SnapshotsReport.Migration(seconds: time / 1e6, downtime: downtime / 1000, megabytes: bytes / 1e6)
    }
}
