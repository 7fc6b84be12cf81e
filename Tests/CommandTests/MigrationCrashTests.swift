import ControlAPI
import Foundation
import GuestToolchain
import Runtime
import TestSupport
import Testing

/// The sender, the receiver, or the machine of a migration dies at each state-changing system call (`CrashWalk`).
@Suite(
    "Migrations killed at a system call", .serialized,
    .enabled("needs strace and the right to trace") { CallTracer.obstacle == nil })
struct MigrationCrashTests: MigratedDiskSuite {
    enum Victim: String, CaseIterable, CustomTestStringConvertible {
        case sender = "migrate", receiver = "receive", machine = "the machine at the sender"
        case arrived = "the machine at the receiver"

        var testDescription: String { rawValue }
    }

    /// A disk of the machine that is not in its directory.
    enum OtherDisk: String { case none, shared = "a shared disk", copied = "a disk that is sent" }

    struct Walk: CustomTestStringConvertible {
        let victim: Victim
        let disk: OtherDisk

        var testDescription: String { disk == .none ? victim.rawValue : "\(victim.rawValue), with \(disk.rawValue)" }
    }

    private static let walks: [Walk] = Victim.allCases.flatMap { victim in
        let disks: [OtherDisk] = OtherView.canMount ? [.none, .shared, .copied] : [.none, .shared]
        return disks.map { Walk(victim: victim, disk: $0) }
    }

    let aerie: AerieProcess
    let echo: String
    let guest = ""

    init() throws {
        aerie = try AerieProcess()
        echo = try aerie.directory.file("echo", GuestProgram.echo)
        _ = try TinyImage(for: aerie)
    }

    /// A machine with a disk runs here, and none is there.
    private func prepare(_ disk: OtherDisk) throws {
        for name in try names(there) { #expect(try aerie.run(["rm", "--force", name], environment: there).code == 0) }
        for name in arrived { try FileManager.default.removeItem(atPath: "\(others)/\(name)") }
        if try names().isEmpty {
            let words = disk == .none ? [] : ["--disk", try makeDisk("disk", "raw")]
            let made = try aerie.run(
                ["run", "--detach", "--name", "one", "--memory", "32M", "--network", "none"] + words + ["tiny"])
            try #require(made.code == 0, "\(made.error)")
        }
        if state("one") == .paused {
            // It may go on by itself just then. The monitor writes the status a moment later.
            _ = try aerie.run(["resume", "one"])
            #expect(Patience.wait { state("one") != .paused })
        }
        if state("one") != .running { #expect(try aerie.run(["start", "one"]).code == 0) }
    }

    /// Ends a receiver, also one with a tracer in front of it.
    private static func kill(_ receiver: RunningProgram) {
        let traced = MachineProcesses.children(of: receiver.identifier).filter {
            MachineProcesses.isTraced($0) && MachineProcesses.exists(receiver.identifier)
        }
        for process in traced { Glibc.kill(process, SIGKILL) }
        receiver.send(SIGKILL)
    }

    /// Waits until a receiver listens, or has ended.
    private func awaitListening(_ receiver: RunningProgram) {
        #expect(
            Patience.wait { !MachineProcesses.exists(receiver.identifier) || isListening(receiver) },
            "the receiver does not listen")
    }

    private func isListening(_ receiver: RunningProgram) -> Bool {
        Self.table("unix", of: receiver.identifier).split(separator: "\n")
            .contains { $0.hasSuffix(" \(socket)") && $0.contains(" 00010000 ") }
    }

    /// Moves the machine. Of `tracer`, the words are for the processes of the machine at the sender, or stand in front of the others.
    ///
    /// - Returns: the sender's exit code.
    private func migrate(
        _ victim: Victim, _ disk: OtherDisk, _ tracer: ([Int32]) -> [String]
    ) throws -> Int32 {
        unlink(socket)
        let view = disk == .copied ? try otherView() : []
        let wrapper =
            switch victim {
            case .receiver: tracer([])
            case .arrived: try aerie.wrapper(tracingMachinesBy: tracer([]))
            case .sender, .machine: [String]()
            }
        func receive(_ wrapper: [String]) throws -> RunningProgram {
            try RunningProgram(["receive", address], on: aerie, wrapper: view + wrapper, environment: there)
        }
        var receivers = [try receive(wrapper)]
        // Those that wait for questions are needed no more.
        defer { receivers.forEach(Self.kill) }
        awaitListening(receivers[0])
        var attached: ChildProgram?
        if victim == .machine {
            let monitor = try directory().find("one").status.monitor
            let processes = [monitor] + MachineProcesses.descendants(of: monitor)
            let words = tracer(processes)
            attached = try ChildProgram(words[0], Array(words.dropFirst()), output: nil, error: nil)
            #expect(Patience.wait { processes.allSatisfy(MachineProcesses.isTraced) })
        }
        let sender = try RunningProgram(
            ["migrate", "one", address], on: aerie, wrapper: victim == .sender ? tracer([]) : [])
        while MachineProcesses.exists(sender.identifier) {
            // Another receiver answers the sender's question.
            if victim == .receiver, receivers.count == 1, !MachineProcesses.exists(receivers[0].identifier),
                receivers[0].end() == -SIGKILL
            {
                receivers.append(try receive([]))
            }
            usleep(5000)
        }
        let code = sender.end()
        attached?.kill()
        // The receiver has ended, or waits for the question of a sender that has been killed.
        awaitListening(receivers[0])
        return code
    }

    private func check(_ death: String, _ victim: Victim, _ disk: OtherDisk) throws {
        for environment in [[:], there] {
            let directory = try directory(environment)
            let entries = directoryEntries(directory.path)
            #expect(entries.count == directory.machines().count, "\(death): a machine cannot be read")
        }
        // The machine at the sender goes on a moment after its program has ended.
        var states = ""
        let holds = Patience.wait {
            let (here, other) = (state("one"), state("one", there))
            states = "here \(here.map(\.rawValue) ?? "none"), there \(other.map(\.rawValue) ?? "none")"
            guard here != nil || other != nil, here != .running || other == nil else { return false }
            if disk == .shared {
                // Who runs has the disk.
                let isUsed = isLocked("\(disks)/disk")
                states += isUsed ? ", the disk is locked" : ", the disk is free"
                guard isUsed == (here == .running || other == .running) else { return false }
            }
            return switch victim {
            // A sender that was killed after the handover has left its machine behind, which does not run.
            case .sender: other == .running || other == nil && (here == .running || here == .paused)
            case .receiver: here == .running && other == nil || here == nil && other == .running
            case .machine: other == .running || other == nil && here != nil
            case .arrived: here == .running && other == nil || here == nil && other != nil
            }
        }
        #expect(holds, "\(death): \(states)")
        if disk == .copied {
            // The second name of a disk goes a moment after the start, or with the machine of a process that was killed then.
            let isRight = Patience.wait {
                let state = state("one", there)
                return arrived.filter { state != .exited || !$0.hasPrefix(".") } == (state == nil ? [] : ["disk"])
            }
            #expect(isRight, "\(death): \(states), \(arrived)")
        }
        for environment in [[:], there] {
            for machine in try directory(environment).machines() where !machine.isRunning {
                let result = try aerie.run(["disk", "check", machine.file("root.qcow2")])
                #expect(result.code == 0, "\(death): \(result.output)\(result.error)")
            }
        }
    }

    /// What a receiver with another view has in the directory of the disks.
    private var arrived: [String] { (try? FileManager.default.contentsOfDirectory(atPath: others)) ?? [] }

    private func directoryEntries(_ path: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter { !$0.hasPrefix(".") }
    }

    /// Nothing is left when the machines are removed.
    private func end(_ disk: OtherDisk) throws {
        try prepare(disk)
        for environment in [[:], there] {
            let made = try aerie.run(
                ["create", "--name", "last", "--network", "none", "tiny"], environment: environment)
            #expect(made.code == 0, "\(made.error)")
            for name in try names(environment) {
                #expect(try aerie.run(["rm", "--force", name], environment: environment).code == 0)
            }
            let left = try FileManager.default.contentsOfDirectory(atPath: try directory(environment).path)
            #expect(Set(left).isSubset(of: [".lock", ".identity", ".transfers"]), "\(left)")
        }
        let marks = [try directory().path, try directory(there).path].map { Data("\($0)/".utf8) }
        #expect(
            Patience.wait {
                let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
                return numbers.allSatisfy { number in
                    guard Int32(number).map(MachineProcesses.exists) == true,
                        let words = FileManager.default.contents(atPath: "/proc/\(number)/cmdline")
                    else { return true }
                    return marks.allSatisfy { words.range(of: $0) == nil }
                }
            }, "a process is left")
    }

    @Test(
        "Exactly one side has a machine that runs or can go on, wherever a process of its migration is killed",
        arguments: walks)
    func killed(_ walk: Walk) throws {
        let (victim, disk) = (walk.victim, walk.disk)
        try prepare(disk)
        let list = aerie.directory.path("calls")
        let code = try migrate(victim, disk) { processes in
            switch victim {
            case .sender, .receiver: CallTracer.listing(to: list)
            case .machine: CallTracer.listing(processes: processes, to: list)
            case .arrived: CallTracer.listingAll(to: list)
            }
        }
        #expect(code == 0)
        // The list is complete when the machine has ended.
        if victim == .arrived {
            #expect(try aerie.run(["kill", "one"], environment: there).code == 0)
        }
        let calls = try CrashWalk("migration: \(walk.testDescription)", list: list)
        #expect(calls.count > 0)
        try calls.forEach { call, death in
            try prepare(disk)
            _ = try migrate(victim, disk) { processes in
                switch victim {
                case .sender, .receiver: CallTracer.killing(at: call)
                case .machine: CallTracer.killing(processes: processes, at: call)
                case .arrived: CallTracer.killingAny(at: call)
                }
            }
            try check(death, victim, disk)
        }
        try end(disk)
    }
}
