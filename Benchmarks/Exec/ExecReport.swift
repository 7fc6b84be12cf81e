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

    /// Programs that the guest's shell starts for its own measure.
    private static let forks = 200

    /// Measures a machine whose guest answers.
    ///
    /// - Parameters:
    ///   - rounds: how often the short command runs.
    ///   - megabytes: for each direction.
    init(measuring machine: ExecMachine, rounds: Int, megabytes: Int) throws {
        complain("\(rounds) commands")
        command = Statistics.median(try (1...rounds).map { _ in try machine.seconds(["true"]) }) * 1000
        client = Statistics.median(try (1...rounds).map { _ in try machine.clientSeconds() }) * 1000
        let loop = "i=0; while [ $i -lt $0 ]; do /bin/true; i=$((i+1)); done"
        let few = try (1...5).map { _ in try machine.seconds(["sh", "-c", loop, "0"]) }
        let many = try (1...5).map { _ in try machine.seconds(["sh", "-c", loop, "\(Self.forks)"]) }
        fork = (Statistics.median(many) - Statistics.median(few)) / Double(Self.forks) * 1000
        complain("\(megabytes) MB in each direction")
        let size = "\(megabytes)M"
        let bytes = Double(megabytes) * 1.048576
        fromGuest = bytes / (try machine.seconds(["head", "-c", size, "/dev/zero"]))
        toGuest = bytes / (try machine.seconds(["sh", "-c", "cat >/dev/null"], input: "head -c \(size) /dev/zero"))
    }

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
