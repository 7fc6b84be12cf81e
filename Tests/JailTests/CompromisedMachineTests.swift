import Foundation
import GuestToolchain
import Testing

/// Code in a machine's process tries what it must not do. Each attempt is made in a jail of its own, as a machine's process has it.
@Suite(
    "A compromised machine",
    .enabled("this host lets nobody mount in a name space of their own") { BreakerProgram.obstacle == nil })
struct CompromisedMachineTests {
    private let breaker: BreakerProgram

    init() throws { breaker = try BreakerProgram() }

    /// What refuses each attempt: an errno value of the empty root (2), of a read-only mount (30), of restricted rings (13), of sealed
    /// memory (1), of limits (12), or of the host's name being hidden (1); or the filter, which ends the process with SIGSYS (31).
    private static let expected: [String: String] = [
        "open-absolute": "refused 2", "open-through-proc": "refused 2", "open-above-share": "refused 2",
        "open-above-descriptors": "refused 2", "look-at-file": "refused 2", "create-file": "refused 2",
        "create-in-read-only-share": "refused 30", "open-device": "refused 2",
        "open-by-handle": "ended 31 open_by_handle_at", "connect-path": "ended 31 socket",
        "connect-abstract": "ended 31 socket", "connect-tcp": "ended 31 socket", "trace-monitor": "ended 31 ptrace",
        "signal-monitor": "ended 31 kill", "signal-monitor-thread": "ended 31 tgkill",
        "read-monitor-memory": "ended 31 process_vm_readv", "open-monitor-memory": "refused 2",
        "open-monitor-descriptor": "ended 31 pidfd_open", "fork": "ended 31 clone", "run-program": "ended 31 execve",
        "threads-without-end": "refused 11", "map-executable": "ended 31 mmap",
        "map-file-executable": "ended 31 mmap",
        "map-guest-memory-executable": "ended 31 mmap", "make-executable": "ended 31 mprotect",
        "make-code-writable": "ended 31 mprotect", "memory-file": "ended 31 memfd_create",
        "grow-guest-memory": "refused 1", "memory-without-end": "refused 12", "fault-handler": "ended 31 userfaultfd",
        "mount": "ended 31 mount", "host-name": "refused 1", "rename-host": "ended 31 sethostname",
        "new-namespace": "ended 31 unshare", "join-namespace": "ended 31 setns", "change-root": "ended 31 chroot",
        "keys": "ended 31 keyctl", "kernel-program": "ended 31 bpf", "performance-counter": "ended 31 perf_event_open",
        "new-ring": "ended 31 io_uring_setup", "type-into-terminal": "ended 31 ioctl",
        "raise-limit": "ended 31 prlimit64", "change-user": "ended 31 setuid",
        "change-capabilities": "ended 31 capset", "executable-by-default": "ended 31 personality",
        // Killed without a word: these would take the naming itself away.
        "replace-jail-handler": "ended 31", "call-of-another-interface": "ended 31", "new-privileges": "ended 31 prctl",
    ]

    @Test("Each attempt of a vCPU's thread is refused, and the refusing layer is known", arguments: [true, false])
    func outcomes(asRoot: Bool) throws {
        let report = try breaker.run("vcpu0", wrapper: asRoot ? [] : BreakerProgram.asUser)
        #expect(report.gaps == "")
        #expect(report.alarming == [])
        for (attempt, outcome) in Self.expected {
            #expect(report.outcomes[attempt] == outcome, "\(attempt)")
        }
        // EACCES of the ring itself, or of the file system where the host has no rings.
        #expect(report.outcomes["open-with-ring"] == "refused 13" || report.outcomes["open-with-ring"] == "succeeded")
        #expect(report.outcomes.count == Self.expected.count + 1)
    }

    @Test(
        "Each attempt of every other kind of thread is refused",
        arguments: ["main", "io", "disk", "share", "console-input", "translator", "rtc-alarm"])
    func threads(name: String) throws {
        let report = try breaker.run(name)
        #expect(report.alarming == [])
        #expect(report.outcomes.count == Self.expected.count + 1)
    }

    @Test("Without shared folders, no file has a name: opening one is refused before the kernel looks")
    func withoutShares() throws {
        let options = ["open-absolute", "open-through-proc", "create-file", "open-device"].flatMap {
            ["--attempt", $0]
        }
        let report = try breaker.run("io", ["--no-shares"] + options)
        #expect(Set(report.outcomes.values) == ["refused 13"])
        #expect(report.outcomes.count == 4)
    }

    /// An attempt, and the layers that stop it: each of them alone.
    private static let stoppers: [(attempt: String, layers: [String])] = [
        ("look-at-file", ["empty root"]),
        ("host-name", ["ipc, uts and cgroup namespaces"]),
        ("fork", ["system call filter"]),
        ("map-executable", ["system call filter"]),
        ("memory-without-end", ["limits"]),
        ("open-absolute", ["empty root", "Landlock"]),
        ("open-above-share", ["empty root", "Landlock"]),
        ("create-in-read-only-share", ["empty root", "Landlock"]),
        ("connect-path", ["system call filter", "empty root"]),
        // Without this layer, the kernel takes no filter from a process without capabilities.
        ("new-privileges", ["no new privileges"]),
        ("rename-host", ["system call filter", "no capabilities"]),
        ("connect-tcp", ["system call filter", "Landlock", "network namespace"]),
        ("connect-abstract", ["system call filter", "Landlock", "network namespace"]),
        ("signal-monitor", ["system call filter", "Landlock", "process namespace"]),
        ("mount", ["system call filter", "Landlock", "no capabilities", "user namespace"]),
    ]

    @Test(
        "An attempt succeeds when all layers that stop it are taken away, and fails when one of them is there",
        .enabled(if: getuid() == 0, "needs root"), arguments: stoppers)
    func everyLayerIsOfUse(attempt: String, layers: [String]) throws {
        func outcome(without layers: [String]) throws -> String {
            let options = layers.flatMap { ["--without", $0] } + ["--attempt", attempt]
            return try breaker.run("main", options).outcomes[attempt] ?? "nothing"
        }
        #expect(try outcome(without: layers) == "succeeded")
        for layer in layers {
            let result = try outcome(without: layers.filter { $0 != layer })
            #expect(result.hasPrefix("refused") || result.hasPrefix("ended"), "with \(layer): \(result)")
        }
    }

    @Test("Where the host refuses user namespaces, the report names each missing layer, and the others hold")
    func withoutNamespaces() throws {
        let report = try breaker.run("io", wrapper: BreakerProgram.withoutNamespaces)
        for layer in ["user namespace", "process namespace", "empty root", "network namespace"] {
            #expect(report.gaps.contains("no \(layer) ("), "\(report.gaps)")
        }
        #expect(!report.gaps.contains("Landlock"))
        // Landlock does not hide that a file exists, nor the host's name.
        #expect(
            report.alarming == ["host-name: succeeded", "look-at-file: succeeded", "threads-without-end: succeeded"])
        #expect(report.outcomes["open-absolute"] == "refused 13")
    }
}
