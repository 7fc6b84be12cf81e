import Foundation
import TextTables

/// The results of `hardware`: medians of the rounds.
struct HardwareReport: Report {
    var starts: [StartSamples]
    var notifications: [NotificationSample] = []
    private var portSeconds = Pair()
    private var registerSeconds = Pair()
    private var userSeconds = Pair()

    /// The same work on Aerie and on its peer.
    private struct Pair {
        var ours: [Double] = []
        var theirs: [Double] = []

        var ratio: Double { Statistics.median(ours) / Statistics.median(theirs) }
    }

    init(starts: [StartSamples]) {
        self.starts = starts
    }

    /// Runs the two monitors alternately. Each monitor's time for the guest without exits is subtracted.
    mutating func addExits(_ aerie: Monitor, _ programs: HardwarePrograms) throws {
        func seconds(_ program: HardwarePrograms.ExitProgram) throws -> (ours: Double, theirs: Double) {
            (
                try ProcessRun(aerie.path, aerie.arguments(program.guest)).seconds,
                try ProcessRun(programs.monitor, [program.flat]).seconds
            )
        }
        let nothing = try seconds(programs.noExits)
        let ports = try seconds(programs.ports)
        let registers = try seconds(programs.registers)
        portSeconds.ours.append(ports.ours - nothing.ours)
        portSeconds.theirs.append(ports.theirs - nothing.theirs)
        registerSeconds.ours.append(registers.ours - nothing.ours)
        registerSeconds.theirs.append(registers.theirs - nothing.theirs)
    }

    mutating func addUserCode(_ aerie: Monitor, _ programs: HardwarePrograms) throws {
        let nothing = try ProcessRun(aerie.path, aerie.arguments(programs.noUser)).seconds
        let guest = try ProcessRun(aerie.path, aerie.arguments(programs.user))
        let host = try ProcessRun(programs.hostUser, [])
        guard guest.lines == host.lines else {
            throw BenchmarkError("user code computes \(guest.lines) in the guest, and \(host.lines) on the host")
        }
        userSeconds.ours.append(guest.seconds - nothing)
        userSeconds.theirs.append(host.seconds)
    }

    // MARK: Output

    /// Wake-ups of each thread for a notification, as medians of the rounds. Threads that are never woken are left out.
    private var wakes: [(thread: String, count: Double)] {
        let names = Set(notifications.flatMap(\.wakes.keys))
        return names.sorted().map { name in (name, Statistics.median(notifications.map { $0.wakes[name] ?? 0 })) }
            .filter { $0.1 >= 0.01 }
    }

    private func each(_ pair: [Double], _ count: Int) -> Double { Statistics.median(pair) / Double(count) * 1e6 }

    func text() -> String {
        var table = TextTable.measurements
        table.add("to the first instruction", "", starts.map(\.monitor))
        table.add("CPU, ms", "", starts.map { table.ratio(Statistics.median($0.seconds) * 1e3) }, note: "goal 10")
        table.add("memory beside guest, KiB", "", starts.map { "\($0.memory.resident >> 10)" }, note: "goal 5120")
        table.add(" its share (Pss)", "", starts.map { "\($0.memory.proportional >> 10)" })
        table.add(" its own (dirty)", "", starts.map { "\($0.memory.privateDirty >> 10)" })
        table.add("")
        table.add("exits, µs of CPU each", "", [BuiltProgram.aerieVM.rawValue, "C on /dev/kvm", "ratio"])
        for (name, pair) in [("port", portSeconds), ("register in memory", registerSeconds)] {
            table.add(
                name, "",
                [
                    table.ratio(each(pair.ours, HardwarePrograms.exits)),
                    table.ratio(each(pair.theirs, HardwarePrograms.exits)), table.seconds(pair.ratio),
                ], note: "goal 1.1")
        }
        table.add("")
        table.add("user code, s", "", ["guest", "host", "speed"])
        table.add(
            "core, in ring 3", "",
            [
                table.seconds(Statistics.median(userSeconds.ours)),
                table.seconds(Statistics.median(userSeconds.theirs)),
                table.seconds(1 / userSeconds.ratio),
            ], note: "goal 0.97")
        table.add("")
        table.add("a virtio notification", "", ["wakes"])
        for (thread, count) in wakes { table.add(" thread \(thread)", "", [table.ratio(count)]) }
        table.add(" CPU, µs", "", [table.ratio(Statistics.median(notifications.map(\.seconds)) * 1e6)])
        return table.text
    }

    func encode(to encoder: any Encoder) throws {
        struct Start: Encodable {
            let monitor: String
            let seconds: Double
            let residentBytes, proportionalBytes, privateDirtyBytes: Int
        }
        struct Output: Encodable {
            let starts: [Start]
            let portExitRatio, registerExitRatio, userSpeed: Double
            let wakesPerNotification: [String: Double]
        }
        let output = Output(
            starts: starts.map {
                Start(
                    monitor: $0.monitor, seconds: Statistics.median($0.seconds), residentBytes: $0.memory.resident,
                    proportionalBytes: $0.memory.proportional, privateDirtyBytes: $0.memory.privateDirty)
            },
            portExitRatio: portSeconds.ratio, registerExitRatio: registerSeconds.ratio,
            userSpeed: 1 / userSeconds.ratio,
            wakesPerNotification: Dictionary(uniqueKeysWithValues: wakes.map { ($0.thread, $0.count) }))
        try output.encode(to: encoder)
    }
}
