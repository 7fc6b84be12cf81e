import TextTables

/// The costs of kept machines, beside the bounds that they have to keep.
struct MachinesReport: Report {
    /// Seconds from the call of `run --detach` to the first command's end.
    let startToExec: Double
    /// Seconds of the kernel's own start, to init.
    let kernelStart: Double
    let exec: ExecReport
    /// How many machines the list has, and its milliseconds.
    let count: Int
    let list: Double
    /// 10^6 bytes of the machine's processes that are neither shared nor the guest's.
    let memory: Double
    /// 10^6 bytes of the agent's resident memory.
    let agent: Double

    func text() -> String {
        let rows = [
            Self.row("run --detach to exec true", startToExec, "s"),
            Self.row("of that the kernel's start to init", kernelStart, "s"),
            Self.row("run --detach to exec true above the kernel's start", startToExec - kernelStart, "s", most: 0.3),
            Self.row("exec true", exec.command, "ms"), Self.row("of that the client's start", exec.client, "ms"),
            Self.row("the guest's own fork and exec", exec.fork, "ms"),
            Self.row("exec true above fork and exec", exec.command - exec.fork, "ms", most: 15),
            Self.row("bytes from the guest", exec.fromGuest, "MB/s", least: 300),
            Self.row("bytes to the guest", exec.toGuest, "MB/s", least: 300),
            Self.row("ps of \(count) machines", list, "ms", most: 50),
            Self.row("memory of an idle machine's processes besides the guest's", memory, "MB", most: 8),
            Self.row("resident memory of the agent", agent, "MB", most: 1),
        ]
        var table = TextTable([.left(), .right(), .right(), .right()])
        table.add(["MEASURE", "VALUE", "MUST", "RATIO"])
        for row in rows { table.add(row) }
        return table.text
    }

    /// - Parameters:
    ///   - most: the bound, where the value may not be larger.
    ///   - least: the bound, where the value may not be smaller.
    private static func row(
        _ name: String, _ value: Double, _ unit: String, most: Double? = nil, least: Double? = nil
    ) -> [String] {
        let cells = [name, "\(rounded(value)) \(unit)"]
        guard let bound = most ?? least else { return cells + ["", ""] }
        let ratio = most == nil ? bound / value : value / bound
        return cells + ["\(most == nil ? "≥" : "≤") \(short(bound)) \(unit)", "\(rounded(ratio))"]
    }

    private static func rounded(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }

    private static func short(_ value: Double) -> String {
        value == value.rounded() ? "\(Int(value))" : "\(value)"
    }
}
