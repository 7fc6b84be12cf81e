import Foundation
import GuestToolchain

/// Lists the state-changing system calls of a program, and kills the program at one of them, by strace(1).
enum CallTracer {
    /// A call of the thread that makes it for the `ordinal`-th time, counted from 1.
    struct Call: Hashable, CustomStringConvertible {
        let name: String
        let ordinal: Int

        var description: String { "\(name) \(ordinal)" }
    }

    private static let path = "/usr/bin/strace"
    /// Calls that change files, processes, mounts and other programs.
    private static let names = [
        "mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "link", "linkat",
        "symlink",
        "symlinkat", "ftruncate", "fallocate", "write", "pwrite64", "fsync", "fdatasync", "copy_file_range", "sendto",
        "sendmsg", "connect", "bind", "clone", "clone3", "fork", "vfork", "kill", "fchmod", "mount", "umount2",
        "pivot_root", "truncate", "writev", "pwritev", "pwritev2", "io_uring_enter", "utimensat", "mknodat",
    ].joined(separator: ",")

    static let isWanted = ProcessInfo.processInfo.environment["AERIE_CRASH_WALK"] != nil

    /// Why calls cannot be traced here; nil if they can.
    static let obstacle: String? = {
        let probe = [
            "-f", "-b", "execve", "-qq", "-o", "/dev/null", "-e", "inject=rmdir:signal=KILL:when=1", "true",
        ]
        guard let result = try? HostProgram.run(path, probe) else { return "strace is not installed" }
        return result.status == 0 ? nil : "this host does not let programs be traced"
    }()

    /// Words in front of a command. Its threads are traced, and not the programs that it starts.
    static func listing(to file: String) -> [String] {
        [path, "-f", "-b", "execve", "-qq", "-o", file, "-e", "trace=\(names)"]
    }

    /// Words in front of a command that dies at the entry of a call.
    static func killing(at call: Call) -> [String] {
        [path, "-f", "-b", "execve", "-qq", "-o", "/dev/null"] + injection(of: call)
    }

    /// Words in front of a command whose children are traced, too, by a process that is no parent of theirs.
    static func listingAll(to file: String) -> [String] {
        [path, "-D", "-f", "-qq", "-o", file, "-e", "trace=\(names)"]
    }

    /// Words in front of a command of which the process dies that comes to the call first.
    static func killingAny(at call: Call) -> [String] {
        [path, "-D", "-f", "-qq", "-o", "/dev/null"] + injection(of: call)
    }

    /// Words of a command that traces programs which run already.
    static func listing(processes: [Int32], to file: String) -> [String] {
        [path, "-f", "-qq", "-o", file, "-e", "trace=\(names)"] + processes.flatMap { ["-p", "\($0)"] }
    }

    /// Words of a command by which the program dies that comes to the call first.
    static func killing(processes: [Int32], at call: Call) -> [String] {
        [path, "-f", "-qq", "-o", "/dev/null"] + injection(of: call) + processes.flatMap { ["-p", "\($0)"] }
    }

    private static func injection(of call: Call) -> [String] {
        ["-e", "trace=\(call.name)", "-e", "inject=\(call.name):signal=KILL:when=\(call.ordinal)"]
    }

    /// The calls of a list that have changed something, in their order.
    static func calls(in file: String) throws -> [Call] {
        var counts: [String: Int] = [:]
        var found: [Call] = []
        for line in try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n") {
            // PID NAME(ARGUMENTS) = RESULT, and other lines that do not begin so.
            // A short number has spaces behind it.
            let words = line.split(separator: " ", maxSplits: 1).map { $0.drop { $0 == " " } }
            guard words.count == 2, let end = words[1].firstIndex(of: "("), words[1].first?.isLetter == true else {
                continue
            }
            let name = String(words[1][..<end])
            counts["\(words[0]) \(name)", default: 0] += 1
            let call = Call(name: name, ordinal: counts["\(words[0]) \(name)"] ?? 0)
            if !isIdle(words[1]), !found.contains(call) { found.append(call) }
        }
        return found
    }

    /// Failures, new threads, events between threads, waits, and output.
    private static func isIdle(_ line: Substring) -> Bool {
        let marks = [") = -1 ", "CLONE_THREAD", "\"\\1\\0\\0\\0\\0\\0\\0\\0\", 8)", "write(1, ", "write(2, "]
        if marks.contains(where: { line.contains($0) }) { return true }
        // The second argument of io_uring_enter is the number of requests.
        return line.hasPrefix("io_uring_enter(") && line.split(separator: ", ").dropFirst().first == "0"
    }
}
