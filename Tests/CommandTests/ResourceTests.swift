import Aerie
import ControlAPI
import Foundation
import GuestToolchain
import TestSupport
import Testing

@testable import Runtime

@Suite("Resources of machines") struct ResourceTests {
    private struct Figures: Decodable {
        struct Memory: Decodable {
            let own: Int
            let guest: Int
            let current: Int
        }
        let name: String
        let cpu: Double
        let memory: Memory
    }

    // MARK: Words

    @Test("Limits are percentages of a processor, or none")
    func limits() throws {
        #expect(try ProcessorShare.limit("30%", asked: "x") == 30)
        #expect(try ProcessorShare.limit("250%", asked: "x") == 250)
        #expect(try ProcessorShare.limit("none", asked: "x") == nil)
        for wrong in ["", "%", "30", "0%", "-1%", "+5%", "1.5%", "102401%", "99999999999999999999%", "no"] {
            let error = #expect(throws: AerieError.self) { try ProcessorShare.limit(wrong, asked: "--cpu-limit") }
            #expect(error?.found == "'\(wrong)' is not a limit from 1% to 102400%")
        }
    }

    @Test("Weights are 1 to 10000")
    func weights() throws {
        #expect(try ProcessorShare.weight("1", asked: "x") == 1)
        #expect(try ProcessorShare.weight("10000", asked: "x") == 10_000)
        for wrong in ["", "0", "10001", "-5", "+5", "1e3", "99999999999999999999"] {
            #expect(throws: AerieError.self) { try ProcessorShare.weight(wrong, asked: "x") }
        }
    }

    @Test("Processors are numbers and ranges")
    func processors() throws {
        #expect(try ProcessorShare.processors("6,0-3,2", asked: "x") == [0, 1, 2, 3, 6])
        #expect(try ProcessorShare.processors("1023", asked: "x") == [1023])
        for wrong in ["", ",", "1,", "3-1", "-1", "0-", "0-1-2", "1024", "0-99999999999999999999", "a"] {
            #expect(throws: AerieError.self) { try ProcessorShare.processors(wrong, asked: "x") }
        }
    }

    @Test("Weights become the nearest nice values", arguments: [(100, 0), (300, -5), (33, 5), (1, 19), (10_000, -20)])
    func niceValues(weight: Int, nice: Int32) {
        #expect(SchedulerShare.nice(weight: weight) == nice)
    }

    // MARK: Control groups

    @Test("The hierarchy of version 1 comes first, and a process's own group is found in it")
    func versionOne() {
        let mounts = """
            proc /proc proc rw 0 0
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
            cgroup /sys/fs/cgroup/cpuset cgroup rw,cpuset 0 0
            cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
            """
        let tree = ControlGroupTree(mounts: mounts, membership: "3:cpuset:/a\n2:cpu,cpuacct:/user/one\n0::/b\n")
        #expect(tree?.version == .one)
        #expect(tree?.own == "/sys/fs/cgroup/cpu,cpuacct/user/one")
        #expect(tree?.parents == ["/sys/fs/cgroup/cpu,cpuacct/user/one"])
        #expect(ControlGroupTree(mounts: mounts, membership: "1:cpu:/\n")?.own == "/sys/fs/cgroup/cpu,cpuacct")
        #expect(ControlGroupTree(mounts: mounts, membership: "1:cpu:/../x\n") == nil)
        #expect(ControlGroupTree(mounts: mounts, membership: "nonsense\n") == nil)
        #expect(ControlGroupTree(mounts: "proc /proc proc rw 0 0", membership: "0::/\n") == nil)
    }

    @Test("In version 2 a group is made beside its process's, in the nearest ancestor that hands the controller on")
    func versionTwo() throws {
        let aerie = try AerieProcess()
        let root = aerie.directory.url.path + "/groups"
        let tree = try #require(
            ControlGroupTree(
                mounts: "none \(root) cgroup2 rw 0 0", membership: "0::/user/app/terminal\n"))
        #expect(
            tree.parents == ["\(root)/user/app/terminal", "\(root)/user/app", "\(root)/user", root])
        let machine = try StateDirectory(environment: aerie.environment).create(name: "grouped") { id, name, _, _ in
            var record = MachineRecord(
                id: id, name: name, created: 0, stopTimeout: 1, workingDirectory: "/", configuration: Configuration())
            record.processorShare = ProcessorShare(weight: 250, limit: 150)
            return record
        }
        // Files in place of the kernel's: it makes them with a group, so that the machine's is there before.
        let group = "\(root)/user/app/aerie-\(machine.record.id)"
        for directory in [tree.own, group] {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        }
        for file in ["cgroup.procs", "cpu.weight", "cpu.max"] {
            try Data().write(to: URL(filePath: "\(group)/\(file)"))
        }
        try Data("cpu memory\n".utf8).write(to: URL(filePath: "\(root)/user/app/cgroup.subtree_control"))
        #expect(try MachineShare.begin(machine, process: 4711, in: tree) == nil)
        func text(_ file: String) throws -> String { try String(contentsOfFile: "\(group)/\(file)", encoding: .utf8) }
        #expect(try text("cgroup.procs") == "4711")
        #expect(try text("cpu.weight") == "250")
        #expect(try text("cpu.max") == "150000 100000")
        #expect(ControlGroup(of: machine)?.path == group)
        try ControlGroup(of: machine)?.set(limit: nil)
        #expect(try text("cpu.max").hasPrefix("max 100000"))

        // Without control groups, the machine keeps the limit; a process that has ended has no threads to treat.
        #expect(try MachineShare.begin(machine, process: .max, in: nil) == 150)

        // A file that names another directory leads nowhere.
        try Data("2 \(root)/user".utf8).write(to: URL(filePath: "\(machine.directory)/cgroup"))
        #expect(ControlGroup(of: machine) == nil)
    }

    // MARK: Verbs

    @Test(
        "Merging of pages runs a guest, and warns of what it gives away",
        .enabled("this host's kernel does not merge pages") { access("/sys/kernel/mm/ksm", F_OK) == 0 })
    func merging() throws {
        let aerie = try AerieProcess()
        let firmware = try aerie.directory.file("off", GuestProgram.powerOff)
        let result = try aerie.run(["run", "--merge", "--network", "none", "--firmware", firmware])
        #expect(result.code == 0)
        #expect(result.error.hasPrefix("aerie: --merge: by timing, this guest and others with --merge can find out"))
    }

    @Test("Statistics are those of running machines, and rates of devices change while they run")
    func statistics() throws {
        let aerie = try AerieProcess()
        let disk = try aerie.directory.file("disk", Data(count: 1 << 20))
        let machine = try KeptMachine("busy", ["--disk", disk], on: aerie)
        defer { machine.remove() }
        let result = try aerie.run(["stats", "--format", "json"])
        let all = try JSONDecoder().decode([Figures].self, from: Data(result.output.utf8))
        try #require(all.map(\.name) == ["busy"])
        #expect(all[0].cpu > 0)
        #expect(all[0].memory.own > 0)
        #expect(all[0].memory.guest > 0)
        #expect(all[0].memory.current == 16 << 20)
        #expect(try aerie.run(["stats", "busy"]).output.split(separator: "\n").count == 2)

        #expect(try aerie.run(["set", "busy", "--disk-rate", "0=10M,500iops"]).code == 0)
        #expect(try aerie.run(["set", "busy", "--disk-rate", "none"]).code == 0)
        for (words, message) in [
            (["--disk-rate", "fast"], "'fast' is not a valid rate"),
            (["--disk-rate", "1=1M"], "the machine has 1 disks"),
            (["--disk-rate", "1"], "a rate is 1K to 1024G bytes in a second"),
            (["--network-rate", "1M"], "the machine has no network card"),
            (["--cpu-limit", "30"], "'30' is not a limit from 1% to 102400%"),
        ] {
            let refused = try aerie.run(["set", "busy"] + words)
            #expect(refused.code == 64)
            #expect(refused.error.contains(message), "\(refused.error)")
        }
        #expect(try aerie.run(["stats", "--watch"]).code == 64)

        #expect(try aerie.run(["kill", "busy"]).code == 0)
        #expect(try aerie.run(["stats", "--format", "json"]).output == "[\n\n]\n")
        let ended = try aerie.run(["stats", "busy"])
        #expect(ended.code == 64)
        #expect(
            ended.error
                == "aerie: the statistics of machine 'busy': it is not running; start it with 'aerie start'\n")
    }
}
