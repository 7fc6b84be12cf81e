import ArgumentParser
import Foundation
import GuestToolchain

/// What a machine that is kept costs: its start, commands in its guest, its list, and its memory.
struct MachinesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "machines",
        abstract: "Kept machines: starts, commands and bytes in their guests, the list of many, idle memory.",
        discussion: """
            Times are by the wall clock, and contain the start of the program aerie. The benchmark has machines of its own, which it \
            removes. The image's snapshots are not used.
            """)

    @OptionGroup var program: AerieOption

    @Option(help: "The image to boot.")
    var image = "debian"

    @Option(help: "How often the short command runs.")
    var rounds = 50

    @Option(help: "How often a machine is started.")
    var starts = 3

    @Option(help: "Megabytes for each direction.")
    var megabytes = 1024

    @Option(help: "How many machines the list has.")
    var count = 100

    @Option(help: "Seconds until the memory of an idle machine is measured.")
    var settle = 60.0

    @Flag(help: "Print the measurements as JSON.")
    var json = false

    func validate() throws {
        if rounds < 1 { throw ValidationError("--rounds \(rounds): at least one is needed") }
        if starts < 1 { throw ValidationError("--starts \(starts): at least one is needed") }
        if megabytes < 1 { throw ValidationError("--megabytes \(megabytes): at least one is needed") }
        if !(1...1000).contains(count) { throw ValidationError("--count \(count): it is not from 1 to 1000") }
        if settle < 0 { throw ValidationError("--settle \(settle): seconds are needed") }
    }

    func run() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "aerie-machines-\(UUID().uuidString)")
        let machines = KeptMachines(aerie: try program.path, directory: directory)
        defer {
            machines.removeAll()
            try? FileManager.default.removeItem(at: directory)
        }
        complain("\(starts) starts")
        // The first command of an image reads its files from the disk, and leaves the code that later guests boot with.
        try machines.run(["run", "--memory", "512M", image, "true"])
        let builder = try ProgramBuilder()
        defer { builder.remove() }
        let clock = try builder.guestClock()
        let times = try (1...starts).map { try start(machines, "start-\($0)", clock: clock) }
        complain("an idle machine")
        try machines.run(["run", "--detach", "--no-snapshot", "--name", "idle", "--memory", "512M", image])
        try machines.run(["exec", "idle", "true"])
        // The question wakes the guest, whose agent is asked for its addresses.
        let process = try machines.process(of: "idle")
        usleep(UInt32(min(settle, 3600) * 1e6))
        let memory = try Self.memory(of: process)
        let agent = try Self.agentMemory(machines)
        let machine = ExecMachine(aerie: machines.aerie, name: "idle", environment: machines.environment)
        let exec = try ExecReport(measuring: machine, rounds: rounds, megabytes: megabytes)
        complain("a list of \(count) machines")
        let list = try listing(machines)
        let report = MachinesReport(
            startToExec: Statistics.median(times.map(\.total)), kernelStart: Statistics.median(times.map(\.kernel)),
            exec: exec, count: count, list: list * 1000, memory: Double(memory) / 1e6, agent: Double(agent) / 1e6)
        print(json ? try report.json() : report.text())
    }

    /// Starts a machine, and removes it.
    ///
    /// - Returns: seconds until its guest has answered a command, and those of the kernel's own start, from its first instruction to init.
    private func start(_ machines: KeptMachines, _ name: String, clock: String) throws -> (
        total: Double, kernel: Double
    ) {
        let begin = ContinuousClock.now
        try machines.run(["run", "--detach", "--no-snapshot", "--name", name, "--memory", "512M", image])
        try machines.run(["exec", name, "true"])
        let total = (ContinuousClock.now - begin).seconds
        try machines.run(["cp", clock, "\(name):/tmp/clock"])
        try machines.run(["exec", name, "sh", "-c", "/tmp/clock >/dev/kmsg"])
        let log = try machines.run(["exec", name, "dmesg"]).split(separator: "\n")
        // [    0.482113] Run /init as init process
        guard let start = log.first(where: { $0.contains("as init process") }), let run = Self.time(of: start),
            // [    0.921004] time 00000000000010483211
            let line = log.last(where: { $0.contains("] time ") }), let noted = Self.time(of: line),
            let ticks = line.split(separator: " ").last.flatMap({ Double($0) })
        else { throw BenchmarkError("the kernel's log does not say when it started init") }
        try machines.run(["rm", "--force", name])
        return (total, run + (ticks / Self.frequency - noted))
    }

    /// Ticks of a guest's time in a second.
    private static let frequency = 1e7

    /// The time at which a line of the kernel's log was written, in seconds.
    private static func time(of line: Substring) -> Double? {
        Double(line.drop { "[ ".contains($0) }.prefix { $0 != "]" })
    }

    /// Bytes of memory of the machine's processes besides the guest's, without helpers such as passt.
    private static func memory(of process: pid_t) throws -> Int {
        var memory = ProcessMemory()
        for member in ProcessTree.members(of: ProcessTree.root(of: process), named: "aerie-vm") {
            memory.add(try ProcessMemory(of: member, guestSize: 512 << 20))
        }
        return memory.privateMemory
    }

    /// Bytes of the agent's resident memory in the guest.
    private static func agentMemory(_ machines: KeptMachines) throws -> Int {
        let script = """
            for process in /proc/[0-9]*; do
                case $(readlink $process/exe) in /run/aerie/*) grep VmRSS: $process/status;; esac
            done
            """
        let words = try machines.run(["exec", "idle", "sh", "-c", script]).split(whereSeparator: \.isWhitespace)
        guard words.count >= 2, let kilobytes = Int(words[1]) else {
            throw BenchmarkError("the guest's agent is not among its processes")
        }
        return kilobytes << 10
    }

    /// The median time of a list of `count` machines.
    private func listing(_ machines: KeptMachines) throws -> Double {
        let present = try machines.run(["ps", "--all", "--quiet"]).split(separator: "\n").count
        for number in 0..<max(0, count - present) { try machines.run(["create", "--name", "list-\(number)", image]) }
        return Statistics.median(
            try (1...max(5, rounds / 5)).map { _ in
                let begin = ContinuousClock.now
                try machines.run(["ps", "--all"])
                return (ContinuousClock.now - begin).seconds
            })
    }
}
