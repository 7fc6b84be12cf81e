internal import Foundation

/// Runs a program of the host to its end.
package enum HostProgram {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String

        package init(description: String) {
            self.description = description
        }
    }

    package struct Result {
        package let status: Int32
        package let output: [UInt8]
        package let timedOut: Bool
    }

    /// Runs `path`; standard error joins standard output. A program that takes longer than `limit` seconds is killed: that
    /// is a watchdog against guests that never end, not a measurement.
    package static func run(_ path: String, _ arguments: [String], limit: Double = 300) throws -> Result {
        let output = FileManager.default.temporaryDirectory.appending(path: "aerie-output-\(UUID().uuidString)")
        guard FileManager.default.createFile(atPath: output.path, contents: nil) else {
            throw Failure(description: "cannot create \(output.path)")
        }
        defer { try? FileManager.default.removeItem(at: output) }
        let handle = try FileHandle(forWritingTo: output)
        let program = try ChildProgram(
            path, arguments, output: handle.fileDescriptor, error: handle.fileDescriptor)
        try handle.close()
        let end = try? program.awaitEnd(limit: .seconds(limit))
        return Result(
            status: end?.code ?? -SIGKILL, output: [UInt8](try Data(contentsOf: output)), timedOut: end == nil)
    }

    /// A program found in PATH, or nil.
    package static func find(_ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}
