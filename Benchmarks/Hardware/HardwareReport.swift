import Foundation
import TextTables

/// The results of `hardware`: medians of the rounds.
struct HardwareReport: Report {
    var starts: [StartSamples]
    /// Of each version of Aerie that is measured, the first one's first.
    var versions: [VersionSamples]

    // MARK: Output

    func text() -> String {
        var table = TextTable.measurements
        table.add("to the first instruction", "", starts.map(\.monitor))
        table.add("CPU, ms", "", starts.map { table.ratio(Statistics.median($0.seconds) * 1e3) }, note: "goal 10")
        table.add("memory beside guest, KiB", "", starts.map { "\($0.memory.resident >> 10)" }, note: "goal 5120")
        table.add(" its share (Pss)", "", starts.map { "\($0.memory.proportional >> 10)" })
        table.add(" its own (dirty)", "", starts.map { "\($0.memory.privateDirty >> 10)" })
        table.add("")
        for version in versions { version.add(to: &table) }
        table.add("a virtio notification", "", versions.map(\.monitor.name))
        for thread in Set(versions.flatMap(\.wakes.keys)).sorted() {
            table.add(" wakes of \(thread)", "", versions.map { table.ratio($0.wakes[thread] ?? 0) })
        }
        table.add(" CPU, µs", "", versions.map { table.ratio($0.notificationSeconds * 1e6) })
        return table.text
    }

    func encode(to encoder: any Encoder) throws {
        struct Start: Encodable {
            let monitor: String
            let seconds: Double
            let residentBytes, proportionalBytes, privateDirtyBytes: Int
        }
        struct Version: Encodable {
            let monitor: String
            let portExitSeconds, portExitRatio, registerExitSeconds, registerExitRatio, userSpeed: Double
            let wakesPerNotification: [String: Double]
            let notificationSeconds: Double
        }
        struct Output: Encodable {
            let starts: [Start]
            let versions: [Version]
        }
        let output = Output(
            starts: starts.map {
                Start(
                    monitor: $0.monitor, seconds: Statistics.median($0.seconds), residentBytes: $0.memory.resident,
                    proportionalBytes: $0.memory.proportional, privateDirtyBytes: $0.memory.privateDirty)
            },
            versions: versions.map {
                Version(
                    monitor: $0.monitor.name, portExitSeconds: $0.ports.each, portExitRatio: $0.ports.ratio,
                    registerExitSeconds: $0.registers.each, registerExitRatio: $0.registers.ratio,
                    userSpeed: 1 / $0.user.ratio, wakesPerNotification: $0.wakes,
                    notificationSeconds: $0.notificationSeconds)
            })
        try output.encode(to: encoder)
    }
}
