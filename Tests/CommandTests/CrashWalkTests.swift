import ControlAPI
import Foundation
import GuestToolchain
import Runtime
import TestSupport
import Testing

/// Verbs that die at state-changing system calls, one after the other. The list of calls comes from a run of the same verb before.
///
/// A usual run takes some calls by chance. AERIE_CRASH_SEED chooses others, or again those of a failure; AERIE_CRASH_WALK=1 takes all.
@Suite(
    "Killed at a system call", .serialized,
    .enabled("needs strace and the right to trace") { CallTracer.obstacle == nil })
struct CrashWalkTests {
    enum Verb: String, CaseIterable, CustomTestStringConvertible {
        case create, start, kill, pause, resume, set, rename, remove = "rm", snapshotCreate = "snapshot create",
            snapshotRemove = "snapshot rm", restore, fork

        var testDescription: String { rawValue }

        var words: [String] {
            switch self {
            case .create: ["create", "--name", "new"] + Scene.options
            case .start: ["start", "one"]
            case .kill: ["kill", "one"]
            case .pause: ["pause", "one"]
            case .resume: ["resume", "one"]
            case .set: ["set", "one", "--cpu-weight", "60"]
            case .rename: ["rename", "one", "two"]
            case .remove: ["rm", "gone"]
            case .snapshotCreate: ["snapshot", "create", "one", "saved"]
            case .snapshotRemove: ["snapshot", "rm", "saved"]
            case .restore: ["restore", "saved", "--name", "new"]
            case .fork: ["fork", "one", "--name", "kid"]
            }
        }

        /// Whether a machine may be paused when the verb is dead.
        var leavesPaused: Bool { self == .pause || self == .resume }
    }

    /// Calls of a usual run, of each verb and of a machine's processes.
    private static let sampleSize = 2
    private static let seed =
        ProcessInfo.processInfo.environment["AERIE_CRASH_SEED"].flatMap { UInt64($0) } ?? .random(in: 1...999_999)

    /// All calls, or some.
    private func choice(of calls: [CallTracer.Call], _ verb: Verb?) -> [CallTracer.Call] {
        if CallTracer.isWanted { return calls }
        let number = verb.flatMap { Verb.allCases.firstIndex(of: $0) } ?? Verb.allCases.count
        var random = SeededGenerator(seed: Self.seed &+ UInt64(number) << 32)
        return Array(calls.shuffled(using: &random).prefix(Self.sampleSize))
    }

    private func note(_ call: CallTracer.Call, of subject: String) -> String {
        "\(subject), killed at \(call) (AERIE_CRASH_SEED=\(Self.seed))"
    }

    @Test(
        "A verb whose process is killed at any call loses no machine, snapshot or list, and leaves no process behind",
        arguments: Verb.allCases)
    func client(_ verb: Verb) throws {
        let scene = try Scene()
        try scene.prepare(verb)
        let list = scene.aerie.directory.path("calls")
        let result = try scene.aerie.run(verb.words, wrapper: CallTracer.listing(to: list))
        try #require(result.code == 0, "\(result.error)")
        let calls = try CallTracer.calls(in: list)
        #expect(!calls.isEmpty)
        var deaths = 0
        for call in choice(of: calls, verb) {
            try scene.prepare(verb)
            if try scene.aerie.run(verb.words, wrapper: CallTracer.killing(at: call)).code == -SIGKILL { deaths += 1 }
            try scene.check(note(call, of: verb.rawValue), mayPause: verb.leavesPaused)
        }
        // Threads may change their order, so that a call does not come.
        #expect(!CallTracer.isWanted || deaths > calls.count / 2)
        try scene.end()
    }

    @Test(
        "A machine one of whose processes is killed at any call, from its start to its end, is there and starts again")
    func machine() throws {
        let scene = try Scene()
        let list = scene.aerie.directory.path("calls")
        try scene.prepare(.start)
        try scene.live(CallTracer.listingAll(to: list))
        let calls = try CallTracer.calls(in: list)
        #expect(!calls.isEmpty)
        for call in choice(of: calls, nil) {
            try scene.prepare(.start)
            try scene.live(CallTracer.killingAny(at: call))
            try scene.check(note(call, of: "a machine"))
        }
        try scene.prepare(.start)
        #expect(try scene.aerie.run(["start", "one"]).code == 0)
        try scene.end()
    }
}

/// The machines of a walk: `keep`, to which nothing must happen, and those that the verbs are about.
private final class Scene {
    /// Of each machine. The file is in the directory in which the commands run.
    static let options = ["--memory", "16M", "--firmware", "sleep.bin", "--network", "none", "--cpu-weight", "50"]

    let aerie: AerieProcess
    private let state: StateDirectory
    private let snapshots: SnapshotStore
    private let kept: Data
    /// The control groups that machines have had.
    private var groups: Set<String> = []

    init() throws {
        aerie = try AerieProcess()
        state = try StateDirectory(environment: aerie.environment)
        snapshots = SnapshotStore(beside: state)
        _ = try aerie.directory.file("sleep.bin", GuestProgram.sleep)
        let result = try aerie.run(["create", "--name", "keep"] + Self.options)
        try #require(result.code == 0, "\(result.error)")
        kept = try Data(contentsOf: URL(filePath: try state.find("keep").file("machine.json")))
    }

    private func run(_ words: [String]) throws {
        let result = try aerie.run(words)
        #expect(result.code == 0, "\(words): \(result.error)")
    }

    /// Lets the machine `one` go on. The request of a killed `resume` may be served at the same time, which makes this one an error.
    private func resume() throws {
        let result = try aerie.run(["resume", "one"])
        #expect(
            try result.code == 0 || Patience.wait { try state.find("one").status.state == .running }, "\(result.error)")
    }

    private var names: Set<String> { Set(state.machines().map(\.record.name)) }

    // MARK: Before

    /// Brings the machines into the state that a verb begins with.
    func prepare(_ verb: CrashWalkTests.Verb) throws {
        for name in names where name == "new" || name.hasPrefix("kid") { try run(["rm", "--force", name]) }
        if names.contains("two") { try run(["rename", "two", "one"]) }
        if !names.contains("one") { try run(["create", "--name", "one"] + Self.options) }
        let machine = try state.find("one")
        if machine.status.state == .paused { try resume() }
        let hasSnapshot = snapshots.snapshots().contains { $0.record.name == "saved" }
        switch verb {
        case .start: if machine.isRunning { try run(["kill", "one"]) }
        case .remove: if !names.contains("gone") { try run(["create", "--name", "gone"] + Self.options) }
        case .snapshotCreate:
            if hasSnapshot { try run(["snapshot", "rm", "saved"]) }
            if !machine.isRunning { try run(["start", "one"]) }
        case .snapshotRemove, .restore: if !hasSnapshot { try run(["snapshot", "create", "one", "saved"]) }
        case .fork, .kill, .pause, .resume, .set: if !machine.isRunning { try run(["start", "one"]) }
        case .create, .rename: break
        }
        if verb == .resume { try run(["pause", "one"]) }
    }

    /// Starts and kills the machine `one`, whose program is traced by `tracer`. Both may fail.
    func live(_ tracer: [String]) throws {
        let programs = aerie.directory.path("traced")
        // By another process, as `TemporaryDirectory.program` says.
        let copied = try HostProgram.run(
            "/usr/bin/install", ["-D", "-m", "755", AerieProcess.executable, "\(programs)/aerie"])
        try #require(copied.status == 0)
        let script = "#!/bin/sh\nexec \(tracer.joined(separator: " ")) \(AerieProcess.path(of: "aerie-vm")) \"$@\"\n"
        _ = try aerie.directory.program("traced/aerie-vm", Data(script.utf8))
        for verb in ["start", "kill"] {
            // Another program than the one that was built: it has the script beside it.
            let wrapper = ["/bin/sh", "-c", "shift; exec \"$0\" \"$@\"", "\(programs)/aerie"]
            _ = try aerie.run([verb, "one"], wrapper: wrapper)
        }
        // The tracer has written its list when the last process has ended.
        #expect(Patience.wait { processes().isEmpty })
    }

    // MARK: After

    /// What must hold after each death.
    func check(_ death: String, mayPause: Bool = false) throws {
        let machines = state.machines()
        #expect(entries(state.path).count == machines.count, "\(death): a machine cannot be read")
        #expect(entries(snapshots.path).count == snapshots.snapshots().count, "\(death): a snapshot cannot be read")
        let record = try Data(contentsOf: URL(filePath: try state.find("keep").file("machine.json")))
        #expect(record == kept, "\(death): another machine has changed")
        #expect(names.contains("one") != names.contains("two"), "\(death): the machine is lost")
        for machine in machines {
            if let text = try? String(contentsOfFile: machine.file("cgroup"), encoding: .utf8) {
                groups.insert(String(text.dropFirst(2)))
            }
        }
        // Processes belong to machines that run. A machine that its verb has paused goes on when the verb is dead.
        #expect(
            Patience.wait {
                let running = state.machines().filter(\.isRunning)
                return processes().allSatisfy { running.map(\.record.id).contains($0) }
                    && running.allSatisfy { $0.status.state == .running || mayPause && $0.status.state == .paused }
            }, "\(death): \(processes())")
    }

    /// Removes everything, and checks that nothing is left.
    func end() throws {
        // The next machine and the next snapshot clear away what dead processes have left.
        try prepare(.snapshotCreate)
        try run(["snapshot", "create", "one", "saved"])
        try run(["snapshot", "rm", "saved"])
        try run(["create", "--name", "last"] + Self.options)
        for machine in state.machines() { try run(["rm", "--force", machine.record.name]) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: state.path) == [".lock"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: snapshots.path) == [".lock"])
        #expect(Patience.wait { processes().isEmpty }, "\(processes())")
        #expect(groups.filter { access($0, F_OK) == 0 }.isEmpty)
        let mounts = try String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)
        #expect(!mounts.contains(aerie.directory.path))
    }

    private func entries(_ path: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter { !$0.hasPrefix(".") }
    }

    /// Of each process of a machine here, the machine's ID.
    private func processes() -> [String] {
        let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return numbers.compactMap { number in
            guard let process = Int32(number), MachineProcesses.exists(process),
                let data = FileManager.default.contents(atPath: "/proc/\(number)/cmdline")
            else { return nil }
            let words = String(decoding: data, as: UTF8.self)
            return words.range(of: "\(state.path)/").map { String(words[$0.upperBound...].prefix(12)) }
        }
    }
}
