import Foundation
import TextTables

/// The results of `system`: medians of the rounds.
struct SystemReport: Report {
    private struct Row: Encodable {
        let load: String
        let nativeSeconds: Double
        /// A value for each machine.
        let seconds: [Double]
        let timesNative: [Double]
    }

    private let machines: [String]
    private let loads: [Row]
    private let means: [Double]
    private let startSeconds: [Double]
    /// Memory at init in megabytes (10^6 bytes).
    private let memory: [Double]
    private let memoryBesideGuest: [Double]

    init(native: [String: [Double]], machines: [String], runs: [[MarkedRun]]) {
        self.machines = machines
        let loads = SystemCommand.loads.map { load in
            let native = max(Statistics.median(native[load] ?? []), 1e-6)
            let seconds = runs.map { Statistics.median($0.compactMap { $0.loads[load] }) }
            return Row(
                load: load, nativeSeconds: native, seconds: seconds, timesNative: seconds.map { $0 / native })
        }
        self.loads = loads
        means = machines.indices.map { index in
            exp(loads.map { log($0.timesNative[index]) }.reduce(0, +) / Double(loads.count))
        }
        startSeconds = runs.map { Statistics.median($0.map(\.start)) }
        memory = runs.map { Statistics.median($0.map { Double($0.guestMemory + $0.otherMemory) / 1e6 }) }
        memoryBesideGuest = runs.map { Statistics.median($0.map { Double($0.otherMemory) / 1e6 }) }
    }

    func text() -> String {
        var table = TextTable.measurements
        table.add("Debian's kernel, 1 vCPU", "native s", machines)
        for row in loads {
            table.add(row.load, table.seconds(row.nativeSeconds), row.timesNative.map { table.ratio($0) })
        }
        table.add("geometric mean", "", means.map { table.ratio($0) }, note: "best peer 8")
        table.add("")
        table.add("start to init, s", "", startSeconds.map { table.ratio($0) }, note: "goal 1.3, then 0.6")
        table.add("memory at init, MB", "", memory.map { table.ratio($0) }, note: "goal 120, then 100")
        table.add(" beside the guest's", "", memoryBesideGuest.map { table.ratio($0) })
        return table.text
    }
}
