internal import Foundation

/// Looks at the parts of the host's kernel that memory policies and `--merge` use.
enum MemoryExamination {
    static var findings: [Finding] { [pressure, swap, merging] }

    private static func text(_ path: String) -> String {
        // Files in /proc report size 0, so they are read until end of file.
        let file = FileHandle(forReadingAtPath: path)
        return String(decoding: (try? file?.readToEnd()) ?? Data(), as: UTF8.self)
    }

    private static var pressure: Finding {
        let isThere = text("/proc/pressure/memory").hasPrefix("some")
        return Finding(
            name: "memory pressure", status: isThere ? .ok : .limited,
            reason: isThere ? "/proc/pressure/memory" : "the kernel has no /proc/pressure/memory",
            advice: isThere ? "" : "--memory-policy pressure looks at /proc/meminfo every 10 s instead")
    }

    private static var swap: Finding {
        let line = text("/proc/meminfo").split(separator: "\n").first { $0.hasPrefix("SwapTotal:") }
        let size = line?.split(separator: " ").dropFirst().first.flatMap { UInt64($0) } ?? 0
        return Finding(
            name: "swap space", status: size > 0 ? .ok : .limited, reason: size > 0 ? "\(size >> 10)M" : "none",
            advice: size > 0 ? "" : "--memory-policy idle has no effect without swap space or zram")
    }

    private static var merging: Finding {
        let name = "page merging"
        let state = text("/sys/kernel/mm/ksm/run").prefix { $0 != "\n" }
        if state == "1" { return Finding(name: name, status: .ok, reason: "on, for guests with --merge") }
        if state.isEmpty {
            return Finding(name: name, status: .limited, reason: "the kernel has none", advice: "--merge is refused")
        }
        return Finding(
            name: name, status: .limited, reason: "off",
            advice: "as root, 'echo 1 > /sys/kernel/mm/ksm/run' starts it for guests with --merge")
    }
}
