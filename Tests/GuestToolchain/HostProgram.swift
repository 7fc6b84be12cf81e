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
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = handle
        process.standardError = handle
        let ended = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in ended.signal() }
        try process.run()
        let timedOut = ended.wait(timeout: .now() + limit) == .timedOut
        if timedOut {
            kill(process.processIdentifier, SIGKILL)
            ended.wait()
        }
        try handle.close()
        return Result(
            status: process.terminationStatus, output: [UInt8](try Data(contentsOf: output)), timedOut: timedOut)
    }

    /// A program found in PATH, or nil.
    package static func find(_ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":").map { "\($0)/\(name)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}
