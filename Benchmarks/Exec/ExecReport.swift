import TextTables

/// The costs of commands in a running guest.
struct ExecReport: Report {
    /// Milliseconds of `aerie exec NAME true`, median.
    let command: Double
    /// Milliseconds of a client that reaches no machine, median.
    let client: Double
    /// Milliseconds of the guest's own fork and exec.
    let fork: Double
    /// 10^6 bytes in a second.
    let fromGuest: Double
    let toGuest: Double

    func text() -> String {
        let rows = [
            ["exec true", Self.milliseconds(command)], ["of that the client's start", Self.milliseconds(client)],
            ["the guest's own fork and exec", Self.milliseconds(fork)],
            ["exec true above fork and exec", Self.milliseconds(command - fork)],
            ["bytes from the guest", "\(Int(fromGuest.rounded())) MB/s"],
            ["bytes to the guest", "\(Int(toGuest.rounded())) MB/s"],
        ]
        return TextTable(titles: ["MEASURE", "VALUE"], rows: rows).text
    }

    private static func milliseconds(_ value: Double) -> String { "\((value * 100).rounded() / 100) ms" }
}
