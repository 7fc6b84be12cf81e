import Foundation

/// A process and its descendants: the monitor of a machine, the machine, and its network.
enum ProcessTree {
    static func members(of process: pid_t) -> [pid_t] {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
        let children = tasks.flatMap { task -> [pid_t] in
            text("/proc/\(process)/task/\(task)/children").split(separator: " ").compactMap { pid_t($0) }
        }
        return [process] + children.flatMap { members(of: $0) }
    }

    /// The same, of which only those that run a program of this name.
    static func members(of process: pid_t, named name: String) -> [pid_t] {
        members(of: process).filter { field("Name:", of: $0) == name }
    }

    /// The first of the processes above this one that run the same program, or this one.
    static func root(of process: pid_t) -> pid_t {
        var root = process
        while let parent = field("PPid:", of: root).flatMap({ pid_t($0) }), parent > 1,
            field("Name:", of: parent) == field("Name:", of: process)
        { root = parent }
        return root
    }

    /// Bytes of the proportional set sizes: each page is divided by the number of processes that have it.
    static func proportionalMemory(of process: pid_t) throws -> Int { try memory(of: process, "Pss:") }

    /// Bytes of the pages that each process shares with nobody.
    static func privateMemory(of process: pid_t) throws -> Int { try memory(of: process, "Private_") }

    /// The sum of the fields of proc(5), /proc/PID/smaps_rollup, that begin so.
    private static func memory(of process: pid_t, _ prefix: String) throws -> Int {
        var total = 0
        for member in members(of: process) {
            for line in text("/proc/\(member)/smaps_rollup").split(separator: "\n") where line.hasPrefix(prefix) {
                total += (Int(line.split(separator: " ").dropFirst().first ?? "") ?? 0) << 10
            }
        }
        guard total > 0 else { throw BenchmarkError("the memory of process \(process) cannot be read") }
        return total
    }

    private static func field(_ name: String, of process: pid_t) -> String? {
        text("/proc/\(process)/status").split(separator: "\n").first { $0.hasPrefix(name) }?
            .dropFirst(name.count).trimmingCharacters(in: .whitespaces)
    }

    private static func text(_ path: String) -> String {
        // Files in /proc report size 0, so they are read until end of file.
        let file = FileHandle(forReadingAtPath: path)
        return String(decoding: (try? file?.readToEnd()) ?? Data(), as: UTF8.self)
    }
}
