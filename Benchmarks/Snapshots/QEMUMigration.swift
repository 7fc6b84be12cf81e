import Foundation

/// QEMU's live migration of an idle guest to another QEMU of this host.
struct QEMUMigration {
    let path: String
    let files: DebianFiles

    /// The medians of some migrations, each of a guest of its own.
    func run(rounds: Int) throws -> SnapshotsReport.Migration {
        let results = try (0..<rounds).map { _ in try migrate() }
        return SnapshotsReport.Migration(
            seconds: Statistics.median(results.map(\.seconds)), downtime: Statistics.median(results.map(\.downtime)),
            megabytes: Statistics.median(results.map(\.megabytes)))
    }

    private func migrate() throws -> SnapshotsReport.Migration {
        let directory = FileManager.default.temporaryDirectory.appending(path: "aerie-qemu-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: directory) }
        let disk = directory.appending(path: "disk")
        try Data(count: 4096).write(to: disk)
        let machine = Machine(name: "qemu", path: path, engine: nil)
        // Both guests read the image, and no disk is written to.
        let arguments = machine.arguments(files, second: disk.path, command: DensityGuest.command)
            .map { $0.hasPrefix("file=") ? "\($0),file.locking=off" : $0 }
        let (monitor, incoming) = (directory.appending(path: "qmp").path, directory.appending(path: "in").path)
        let source = try DensityGuest(
            machine, arguments + ["-qmp", "unix:\(monitor),server=on,wait=off"], in: directory, number: 0)
        defer { source.end() }
        try source.wait(for: "@ready", count: 1, seconds: 600)
        let target = try DensityGuest(machine, arguments + ["-incoming", "unix:\(incoming)"], in: directory, number: 1)
        defer { target.end() }
        while !FileManager.default.fileExists(atPath: incoming) { usleep(10_000) }
        let client = try QMPClient(monitor)
        _ = try client.call("migrate", ["uri": "unix:\(incoming)"])
        while true {
            let state = try client.call("query-migrate", [:])
            switch state["status"] as? String {
            case "completed":
                let ram = state["ram"] as? [String: Any]
                return SnapshotsReport.Migration(
                    seconds: (state["total-time"] as? Double ?? 0) / 1000, downtime: state["downtime"] as? Double ?? 0,
                    megabytes: (ram?["transferred"] as? Double ?? 0) / 1e6)
            case "failed", "cancelled": throw BenchmarkError("QEMU's migration ended with \(state)")
            default: usleep(10_000)
            }
        }
    }
}

/// A client of QEMU's machine protocol.
private final class QMPClient {
    private let descriptor: Int32
    private var text: [UInt8] = []

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw BenchmarkError("QEMU's monitor at \(path) does not answer") }
        _ = try next()
        _ = try call("qmp_capabilities", [:])
    }

    deinit { close(descriptor) }

    /// The result of a command; events are passed over.
    func call(_ command: String, _ arguments: [String: String]) throws -> [String: Any] {
        let request = try JSONSerialization.data(withJSONObject: ["execute": command, "arguments": arguments])
        let bytes = Array(request) + [0x0A]
        guard send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw BenchmarkError("QEMU's monitor takes no command")
        }
        while true {
            let answer = try next()
            if let result = answer["return"] { return result as? [String: Any] ?? [:] }
            if let error = answer["error"] { throw BenchmarkError("QEMU refuses \(command): \(error)") }
        }
    }

    private func next() throws -> [String: Any] {
        while true {
            if let end = text.firstIndex(of: 0x0A) {
                let line = Data(text[..<end])
                text.removeSubrange(...end)
                return try JSONSerialization.jsonObject(with: line) as? [String: Any] ?? [:]
            }
            var buffer = [UInt8](repeating: 0, count: 65536)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { throw BenchmarkError("QEMU's monitor ended the connection") }
            text += buffer[..<count]
        }
    }
}
