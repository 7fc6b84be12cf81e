import Foundation
import GuestToolchain
import TestSupport
import Testing

/// Machines in their jails, from outside.
@Suite("A jailed machine") struct JailedMachineTests {
    private let aerie: AerieProcess
    private let machine: [String]

    /// Why the tests of a whole jail cannot run on this host; nil when they can.
    private static let obstacle: String? = {
        // Only a process of one thread enters a jail.
        guard let result = try? AerieProcess().run(["doctor", "--format", "json"]),
            let findings = try? JSONDecoder().decode([[String: String]].self, from: Data(result.output.utf8))
        else { return "no jail" }
        let layers = findings.filter { $0["name"]?.hasPrefix("jail") == true }
        return layers.isEmpty ? "no jail" : layers.first { $0["status"] != "ok" }?["reason"]
    }()

    /// User namespaces are refused: their number is limited to the one that this wrapper makes.
    private static let withoutUserNamespaces = [
        "/usr/bin/unshare", "--user", "--map-root-user", "/bin/sh", "-c",
        "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"", "sh",
    ]

    init() throws {
        aerie = try AerieProcess()
        machine = ["--firmware", try aerie.directory.file("sleep", GuestProgram.sleep), "--memory", "16M"]
    }

    private func start(_ options: [String] = []) throws -> (program: RunningProgram, machine: Int32) {
        let program = try RunningProgram(machine + options, on: aerie, program: "aerie-vm")
        try #require(program.waitForUnread(1))
        return (program, try #require(MachineProcesses.machine(of: program.identifier)))
    }

    @Test(
        "Every thread has no capabilities, no way to new privileges, and filters; the root is empty; the namespaces are its own",
        .enabled("this host lets nobody mount in a name space of their own") { Self.obstacle == nil })
    func state() throws {
        let share = aerie.directory.path("share")
        try FileManager.default.createDirectory(atPath: share, withIntermediateDirectories: false)
        for (options, root) in [([], []), (["--share", "\(share):/x:ro"], ["proc", "shares"])] {
            let (program, process) = try start(options)
            let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")
            #expect(threads.count > 5)
            for thread in threads {
                let lines = try String(contentsOfFile: "/proc/\(process)/task/\(thread)/status", encoding: .utf8)
                    .split(separator: "\n").map(String.init)
                #expect(lines.contains("NoNewPrivs:\t1"))
                #expect(lines.contains("Seccomp:\t2"))
                // Root's machine with a shared folder has the rights on files.
                let rights = options.isEmpty || getuid() != 0 ? "0000000000000000" : "000000000000001f"
                #expect(lines.contains("CapEff:\t\(rights)"))
                #expect(lines.contains("CapInh:\t0000000000000000"))
            }
            if getuid() == 0 {
                #expect(try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/root").sorted() == root)
                for name in ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup"] {
                    let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/\(name)")
                    let theirs = try FileManager.default.destinationOfSymbolicLink(
                        atPath: "/proc/\(process)/ns/\(name)")
                    #expect(own != theirs)
                }
            }
            program.send(SIGKILL)
        }
    }

    @Test("A machine ends with its monitor, and leaves no process behind")
    func monitorDies() throws {
        let (program, _) = try start(["--disk", try aerie.directory.file("disk", Data(count: 4096))])
        let processes = MachineProcesses.descendants(of: program.identifier)
        #expect(processes.count == 2)
        program.send(SIGKILL)
        #expect(program.end() == -SIGKILL)
        #expect(Patience.wait { !processes.contains(where: MachineProcesses.exists) })
    }

    @Test("A machine whose process is killed ends with the signal's code, and SIGTERM to the monitor ends it in order")
    func machineDies() throws {
        let (killed, process) = try start()
        kill(process, SIGKILL)
        #expect(killed.end() == 128 + SIGKILL)
        let (stopped, _) = try start(["--stop-timeout", "0"])
        stopped.send(SIGTERM)
        #expect(stopped.end() == 128 + SIGKILL)
        #expect(stopped.error.contains("did not power off within 0 s"))
    }

    @Test(
        "Where the host refuses user namespaces, a machine starts with a warning, and not with --require-jail",
        .enabled("this host lets nobody mount in a name space of their own") { Self.obstacle == nil })
    func fewerLayers() throws {
        let powerOff = ["--firmware", try aerie.directory.file("off", GuestProgram.powerOff), "--memory", "16M"]
        func run(_ options: [String], wrapper: [String] = Self.withoutUserNamespaces) throws -> AerieResult {
            try aerie.run(powerOff + options, program: "aerie-vm", wrapper: wrapper)
        }
        let warned = try run([])
        #expect(warned.code == 0)
        #expect(warned.error.hasPrefix("aerie-vm: warning: jail: the host allows no user namespace (unshare: "))
        #expect(warned.error.split(separator: "\n").count == 1)
        let refused = try run(["--require-jail"])
        #expect(refused.code == 69)
        #expect(refused.error.hasPrefix("aerie-vm: --require-jail: this host allows no user namespace (unshare: "))
        #expect(refused.error.split(separator: "\n").count == 1)
        let whole = try run(["--require-jail"], wrapper: [])
        #expect(whole.code == 0)
        #expect(whole.error == "")
    }
}
