import Foundation
import GuestToolchain

/// A run of a program to its end, with its CPU time.
struct ProcessRun {
    /// User and system time of the process and of its children, in seconds.
    let seconds: Double
    let lines: [String]

    /// Throws when the program fails.
    init(_ path: String, _ arguments: [String]) throws {
        let before = Self.childSeconds()
        let result = try HostProgram.run(path, arguments, limit: 900)
        seconds = Self.childSeconds() - before
        let text = String(decoding: result.output, as: UTF8.self)
        guard result.status == 0, !result.timedOut else {
            throw BenchmarkError("\(path) \(arguments.joined(separator: " ")) ended with \(result.status): \(text)")
        }
        lines = text.split(whereSeparator: \.isNewline).map(String.init)
    }

    /// CPU seconds of all child processes that were waited for.
    private static func childSeconds() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
}

struct BenchmarkError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
