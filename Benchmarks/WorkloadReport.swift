import TextTables

/// The results of `workloads`: CPU seconds of Debian's programs on each machine, medians of the rounds.
struct WorkloadReport: Report {
    private struct Row: Encodable {
        let load: String
        /// A value for each machine.
        let seconds: [Double]
    }

    private let machines: [String]
    private let loads: [Row]

    init(machines: [String], runs: [[MarkedRun]]) {
        self.machines = machines
        let names = Set(runs.joined().flatMap { $0.loads.keys }).sorted()
        loads =
            [Row(load: "start to the program", seconds: runs.map { Statistics.median($0.map(\.start)) })]
            + names.map { name in
                Row(load: name, seconds: runs.map { Statistics.median($0.compactMap { $0.loads[name] }) })
            }
    }

    func text() -> String {
        var table = TextTable.measurements
        table.add("Debian, 1 vCPU; CPU s", "", machines)
        let peer = machines.firstIndex(of: "qemu")
        for row in loads {
            let cells = row.seconds.map { seconds in
                let ratio = peer.map { " (\(table.ratio(seconds / row.seconds[$0])))" } ?? ""
                return table.ratio(seconds) + ratio
            }
            table.add(row.load, "", cells)
        }
        if peer != nil { table.add("In brackets: as a multiple of QEMU's") }
        return table.text
    }
}
