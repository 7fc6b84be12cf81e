import Foundation
import TextTables

/// The kernels' table: the host's seconds, each machine's multiples of them, and the geometric means of the groups.
struct KernelReport: Report {
    private struct Row: Encodable {
        let kernel: String
        let group: String
        let nativeSeconds: Double
        let machines: [Cell]
    }

    private struct Cell: Encodable {
        let machine: String
        /// The median without start-up.
        let seconds: Double
        let timesNative: Double
        /// Each round's seconds, with start-up.
        let rounds: [Double]
    }

    private struct Mean: Encodable {
        let group: String
        let machine: String
        let timesNative: Double
    }

    private let rows: [Row]
    private let means: [Mean]
    /// Each machine's CPU seconds for the empty program.
    private let startUp: [String: Double]

    /// - Parameter samples: an array for each kernel, beginning with the empty one, of a sample for each machine, beginning with
    ///   the host.
    init(samples: [[Samples]]) {
        let start = samples[0].map(\.median)
        startUp = Dictionary(uniqueKeysWithValues: zip(samples[0].map(\.machine), start))
        rows = samples.dropFirst().map { line in
            // Avoids a division by zero for a very short kernel.
            let native = max(line[0].median - start[0], 1e-6)
            let cells = line.indices.dropFirst().map { index in
                let seconds = max(line[index].median - start[index], 0)
                return Cell(
                    machine: line[index].machine, seconds: seconds, timesNative: seconds / native,
                    rounds: line[index].seconds)
            }
            return Row(
                kernel: line[0].kernel.name, group: line[0].kernel.group.rawValue, nativeSeconds: native,
                machines: cells)
        }
        var means: [Mean] = []
        for group in Kernel.Group.allCases where group.goals != nil {
            let members = rows.filter { $0.group == group.rawValue }
            guard let first = members.first else { continue }
            for (index, cell) in first.machines.enumerated() {
                let product = members.map { log($0.machines[index].timesNative) }.reduce(0, +)
                means.append(
                    Mean(
                        group: group.rawValue, machine: cell.machine, timesNative: exp(product / Double(members.count)))
                )
            }
        }
        self.means = means
    }

    func text() -> String {
        let machines = rows.first?.machines.map(\.machine) ?? []
        var table = TextTable.measurements
        table.add("CPU seconds of the host; multiples of it for each machine, without its start-up")
        table.add("kernel", "native s", machines)
        for row in rows {
            // The goal for every kernel is to be at least as fast as QEMU.
            let peer = row.machines.first { $0.machine == "qemu" }?.timesNative ?? .infinity
            let cells = row.machines.map { table.ratio($0.timesNative) + ($0.timesNative > peer ? "!" : " ") }
            table.add(row.kernel, table.seconds(row.nativeSeconds), cells)
        }
        table.add("")
        table.add("geometric means", "", machines)
        for group in Kernel.Group.allCases {
            let values = means.filter { $0.group == group.rawValue }
            guard let goals = group.goals, !values.isEmpty else { continue }
            table.add(
                group.rawValue, "", values.map { table.ratio($0.timesNative) + " " },
                note: "best peer \(goals.peer), goal \(goals.required), then \(goals.desired)")
        }
        table.add("start-up, s", "", machines.map { table.ratio(startUp[$0] ?? 0) + " " })
        if machines.contains("qemu") { table.add("! is slower than QEMU") }
        return table.text
    }
}
