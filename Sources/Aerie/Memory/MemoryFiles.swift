internal import Glibc
internal import HostSystem

/// The files of the host that tell how much memory it has left.
package struct MemoryFiles: Sendable {
    /// Pressure stall information (PSI), in the order of importance. Files that are not there are left out.
    package var pressure: [String]
    /// The file in the form of /proc/meminfo.
    package var meminfo: String
    /// Nanoseconds between two looks where no file wakes the reader.
    package var interval: UInt64
    /// Nanoseconds between two looks while memory is lent or pressure is high.
    package var step: UInt64

    package init(pressure: [String], meminfo: String, interval: UInt64, step: UInt64) {
        self.pressure = pressure
        self.meminfo = meminfo
        self.interval = interval
        self.step = step
    }

    /// The kernel's own: those of the control group of this process, which may have a limit of its own, and those of the host.
    package static var host: MemoryFiles {
        let text = SharedDescriptor(path: "/proc/self/cgroup", flags: O_RDONLY)?.text(limit: 4096) ?? []
        // Version 2 has the line `0::PATH`.
        let line = text.split(separator: 0x0A).first { $0.starts(with: Array("0::/".utf8)) }
        let path = line.map { String(decoding: $0.dropFirst(3), as: UTF8.self) } ?? "/"
        // The root group has no file of its own. Beside version 1, version 2 is mounted at `unified`.
        let groups = path == "/" ? [] : ["", "/unified"].map { "/sys/fs/cgroup\($0)\(path)/memory.pressure" }
        return MemoryFiles(
            pressure: groups + ["/proc/pressure/memory"], meminfo: "/proc/meminfo", interval: 10_000_000_000,
            step: 1_000_000_000)
    }
}
