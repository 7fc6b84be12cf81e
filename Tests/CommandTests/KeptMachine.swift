import ControlAPI
import Foundation
import GuestToolchain
import Runtime
import TestSupport
import Testing

/// A machine that `aerie` keeps for a test, in the directories of an `AerieProcess`.
struct KeptMachine {
    /// Takes the control groups of processors away from a program and those that it starts.
    static let withoutGroups = [
        "/usr/bin/unshare", "--mount", "--propagation", "private", "/bin/sh", "-c",
        """
        awk '$3 == "cgroup" && $4 ~ /(^|,)cpu(,|$)/ || $3 == "cgroup2" { print $2 }' /proc/mounts |
        while read -r directory; do umount -l "$directory"; done
        exec "$@"
        """, "sh",
    ]

    let name: String
    let aerie: AerieProcess
    let machine: Machine

    /// Starts a guest that counts for ever.
    init(_ name: String, _ options: [String], on aerie: AerieProcess, wrapper: [String] = []) throws {
        self.name = name
        self.aerie = aerie
        let firmware = try aerie.directory.file("\(name).bin", GuestProgram.busy)
        let result = try aerie.run(
            ["run", "--detach", "--name", name, "--memory", "16M", "--firmware", firmware, "--network", "none"]
                + options, wrapper: wrapper)
        try #require(result.code == 0, "\(result.error)")
        machine = try StateDirectory(environment: aerie.environment).find(name)
    }

    /// Nanoseconds of processor time until now.
    var processorTime: UInt64 { ProcessUsage(of: machine.status.process)?.processorTime ?? 0 }

    /// The path of the machine's control group; nil for none.
    var group: String? {
        (try? String(contentsOfFile: "\(machine.directory)/cgroup", encoding: .utf8)).map { String($0.dropFirst(2)) }
    }

    func remove() { _ = try? aerie.run(["rm", "--force", name]) }

    /// The number of a processor that this process may use.
    static func processor() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") })
        let last = try #require(line.split(whereSeparator: { !$0.isNumber }).last)
        return try #require(Int(last))
    }

    /// Whether this user can make control groups on this host.
    static let canMakeGroups: Bool = {
        guard let mounts = try? String(contentsOfFile: "/proc/mounts", encoding: .utf8), getuid() == 0 else {
            return false
        }
        return mounts.split(separator: "\n").contains { line in
            let words = line.split(separator: " ")
            return words.count > 3 && words[2] == "cgroup" && words[3].split(separator: ",").contains("cpu")
                && access(String(words[1]), W_OK) == 0 && words[3].hasPrefix("rw")
        }
    }()

    static let canHideGroups: Bool = {
        let probe = ["--mount", "--propagation", "private", "true"]
        return getuid() == 0 && (try? HostProgram.run("/usr/bin/unshare", probe))?.status == 0
    }()
}
