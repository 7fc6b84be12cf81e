import Aerie
import CAllocator
import Foundation
import Glibc
import HostSystem
import MachineSession

/// Starts and ends guests one after the other in this process, and prints what the process has before and after as JSON.
struct ManySessions {
    struct Holdings: Codable {
        let descriptors: Int
        let threads: Int
        let mappings: Int
        /// Bytes of memory that the host gives the process, without those that the allocator holds free.
        let memory: Int
        /// Bytes of the allocator's memory that are in use.
        let allocated: Int

        static func now() throws -> Holdings {
            malloc_trim(0)
            let allocator = mallinfo2()
            let files = FileManager.default
            let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
            let resident = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }?.split(separator: " ")
            return Holdings(
                descriptors: try files.contentsOfDirectory(atPath: "/proc/self/fd").count,
                threads: try files.contentsOfDirectory(atPath: "/proc/self/task").count,
                mappings: try String(contentsOfFile: "/proc/self/maps", encoding: .utf8).split(separator: "\n").count,
                memory: (resident?.dropFirst().first.flatMap { Int($0) } ?? 0) << 10,
                allocated: Int(allocator.uordblks + allocator.hblkhd))
        }
    }

    let configuration: Configuration

    /// - Parameter count: guests after some that fill the caches of the allocator and of threads' stacks.
    func run(_ count: Int) throws {
        let log = try SessionLog(program: "MachineHost", level: .warning, path: nil)
        try log.start()
        defer { log.close() }
        let null = open("/dev/null", O_RDWR)
        for _ in 0..<50 { try runOne(null, log) }
        let before = try Holdings.now()
        for _ in 0..<count { try runOne(null, log) }
        let after = try Holdings.now()
        print(String(decoding: try JSONEncoder().encode([before, after]), as: UTF8.self))
    }

    private func runOne(_ null: Int32, _ log: SessionLog) throws {
        let code = try GuestSession(configuration, stopTimeout: 0, log: log).run(input: null, output: null)
        guard code == 0 else { throw POSIXError(.EPROTO) }
    }
}
