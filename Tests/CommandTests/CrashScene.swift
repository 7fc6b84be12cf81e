import Aerie
import ControlAPI
import Foundation
import GuestToolchain
import Runtime
import TestSupport
import Testing

/// The machines of a walk: `keep`, to which nothing must happen, `base`, which has a disk and does not run, and those that the verbs are about.
final class CrashScene {
    /// Of a machine without an image. The file is in the directory in which the commands run.
    static let options = ["--memory", "16M", "--firmware", "sleep.bin", "--network", "none", "--cpu-weight", "50"]
    /// Of a machine with an image.
    static let imageOptions = ["--memory", "32M", "--network", "none", "--transport", "pci", "tiny"]
    private static let project = """
        name: shop
        services:
          store: {firmware: sleep.bin, memory: 16M, network_mode: none, stop_grace_period: 0s}
          web: {firmware: sleep.bin, memory: 16M, network_mode: none, stop_grace_period: 0s, depends_on: [store]}
        """

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
        _ = try aerie.directory.file("aerie.yaml", Data(Self.project.utf8))
        _ = try aerie.directory.file("data.img", Data(count: 4096))
        _ = try TinyImage(for: aerie)
        for (name, options) in [("keep", Self.options), ("base", Self.imageOptions)] {
            let result = try aerie.run(["create", "--name", name] + options)
            try #require(result.code == 0, "\(result.error)")
        }
        kept = try Data(contentsOf: URL(filePath: try state.find("keep").file("machine.json")))
    }

    private func run(_ words: String...) throws {
        let result = try aerie.run(words)
        #expect(result.code == 0, "\(words): \(result.error)")
    }

    private var names: Set<String> { Set(state.machines().map(\.record.name)) }

    private func hasSnapshot(_ name: String) -> Bool { snapshots.snapshots().contains { $0.record.name == name } }

    private func isThere(_ file: String) -> Bool { access(aerie.directory.path(file), F_OK) == 0 }

    // MARK: Before

    /// Brings the machines into the state that a verb begins with.
    func prepare(_ verb: CrashVerb) throws {
        for name in names where name == "new" || name.hasPrefix("kid") { try removeIfThere(name) }
        if names.contains("two") { try run("rename", "two", "one") }
        if !names.contains("one") { try require(aerie.run(["create", "--name", "one"] + Self.options)) }
        if try state.find("one").status.state == .paused {
            // It may go on by itself just then. The monitor writes the status a moment later.
            _ = try aerie.run(["resume", "one"])
            #expect(try Patience.wait { try state.find("one").status.state != .paused })
        }
        switch verb {
        case .start: if try state.find("one").isRunning { try run("kill", "one") }
        case .fork, .stop, .kill, .restart, .pause, .resume, .set, .snapshotCreate: try startOne()
        case .remove:
            if !names.contains("gone") { try require(aerie.run(["create", "--name", "gone"] + Self.imageOptions)) }
        case .snapshotRemove, .restore: try save()
        case .snapshotExport:
            try save()
            if isThere("out.aerie") { unlink(aerie.directory.path("out.aerie")) }
        case .snapshotImport:
            try save()
            if !isThere("in.aerie") { try run("snapshot", "export", "saved", "in.aerie") }
            if hasSnapshot("imported") { try run("snapshot", "rm", "imported") }
        case .addDisk:
            if try state.find("base").record.configuration.disks.count > 1 {
                try run("set", "base", "--remove-disk", "data.img")
            }
        case .up: try run("down")
        case .down: try run("up")
        case .create, .run, .rename, .clone, .snapshotOfDisk: break
        }
        for name in ["saved", "disk"] where hasSnapshot(name) {
            if verb == .snapshotCreate || verb == .snapshotOfDisk { try run("snapshot", "rm", name) }
        }
        if verb == .resume { try run("pause", "one") }
    }

    private func startOne() throws { if try !state.find("one").isRunning { try run("start", "one") } }

    private func save() throws {
        guard !hasSnapshot("saved") else { return }
        try startOne()
        try run("snapshot", "create", "one", "saved")
    }

    private func require(_ result: AerieResult) throws { try #require(result.code == 0, "\(result.error)") }

    /// A copy whose verb is dead before it is somebody else removes itself.
    private func removeIfThere(_ name: String) throws {
        let result = try aerie.run(["rm", "--force", name])
        #expect(result.code == 0 || !names.contains(name), "\(result.error)")
    }

    // MARK: Deaths of machines

    /// Runs a verb while all processes of the machine `one` are traced. Verb and machine may fail.
    ///
    /// - Returns: the verb's exit code.
    @discardableResult
    func attend(_ verb: CrashVerb, _ tracer: ([Int32]) -> [String]) throws -> Int32 {
        let status = try state.find("one").status
        let processes = [status.monitor] + MachineProcesses.descendants(of: status.monitor)
        let words = tracer(processes)
        let tracer = try ChildProgram(words[0], Array(words.dropFirst()), output: nil, error: nil)
        let isAttached = Patience.wait { processes.allSatisfy(MachineProcesses.isTraced) }
        #expect(isAttached)
        let code = try aerie.run(verb.words).code
        // SIGTERM would do without a process that ends just then (strace 6.1 waits for its first thread only).
        tracer.kill()
        return code
    }

    /// Runs a verb that starts a machine whose program is traced by `tracer`, and then kills that machine. Both may fail.
    func live(_ verb: CrashVerb, _ tracer: [String]) throws {
        let others = Set(state.machines().filter { $0.isRunning && $0.record.name != verb.started }.map(\.record.id))
        let wrapper = try aerie.wrapper(tracingMachinesBy: tracer)
        for words in [verb.words, ["kill", verb.started]] { _ = try aerie.run(words, wrapper: wrapper) }
        if verb == .up { try run("down") }
        // The tracer has written its list when the last process has ended.
        #expect(Patience.wait { processes().allSatisfy(others.contains) }, "\(processes())")
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
            }, "\(death): \(processes()), \(state.machines().map(\.status.state))")
        try checkFiles(death)
    }

    /// Snapshots and disks are whole.
    private func checkFiles(_ death: String) throws {
        for snapshot in snapshots.snapshots() {
            let result = try aerie.run(["snapshot", "check", snapshot.record.name])
            #expect(result.code == 0, "\(death): \(result.error)")
        }
        for machine in state.machines() where access(machine.file("root.qcow2"), F_OK) == 0 && !machine.isRunning {
            let result = try aerie.run(["disk", "check", machine.file("root.qcow2")])
            #expect(result.code == 0, "\(death): \(result.output)\(result.error)")
        }
        if isThere("out.aerie") {
            let result = try aerie.run(["snapshot", "import", "out.aerie", "--name", "trial"])
            #expect(result.code == 0, "\(death): \(result.error)")
            try run("snapshot", "rm", "trial")
        }
    }

    /// Removes everything, and checks that nothing is left.
    func end() throws {
        try run("down")
        // The next machine and the next snapshot clear away what dead processes have left.
        try prepare(.snapshotCreate)
        try run("snapshot", "create", "one", "saved")
        for snapshot in snapshots.snapshots() { try run("snapshot", "rm", snapshot.record.name) }
        try require(aerie.run(["create", "--name", "last"] + Self.options))
        for machine in state.machines() { try run("rm", "--force", machine.record.name) }
        let left = try FileManager.default.contentsOfDirectory(atPath: state.path)
        #expect(Set(left).isSubset(of: [".lock", ".project-shop"]), "\(left)")
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
