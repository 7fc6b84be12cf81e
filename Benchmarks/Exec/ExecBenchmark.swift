import ArgumentParser
import Foundation

/// Commands in a running guest: the time of the shortest one beside the guest's own fork and exec, and bytes in both directions.
struct ExecBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec", abstract: "aerie exec in a running guest: time of a command, bytes in both directions.",
        discussion: """
            Times are by the wall clock: a client that waits for a guest uses no CPU time. Without --machine, a guest of the image is \
            started and ended.
            """)

    @OptionGroup var program: AerieOption

    @Option(help: ArgumentHelp("A machine that runs.", valueName: "name"))
    var machine: String?

    @Option(help: "The image to boot.")
    var image = "debian"

    @Option(help: ArgumentHelp("The image's architecture.", valueName: "name"))
    var arch = "riscv64"

    @Option(help: "How often the short command runs.")
    var rounds = 50

    @Option(help: "Megabytes for each direction.")
    var megabytes = 1024

    @Flag(help: "Print the measurements as JSON.")
    var json = false

    func validate() throws {
        if rounds < 1 { throw ValidationError("--rounds \(rounds): at least one is needed") }
        if megabytes < 1 { throw ValidationError("--megabytes \(megabytes): at least one is needed") }
    }

    func run() throws {
        let aerie = try program.path
        if let machine { return try measure(ExecMachine(aerie: aerie, name: machine)) }
        let guest = try StartedGuest(aerie: aerie, image: image, architecture: arch)
        defer { guest.end() }
        try measure(ExecMachine(aerie: aerie, name: guest.socket))
    }

    private func measure(_ machine: ExecMachine) throws {
        // The first command comes when the guest has booted.
        _ = try machine.seconds(["true"])
        let report = try ExecReport(measuring: machine, rounds: rounds, megabytes: megabytes)
        print(json ? try report.json() : report.text())
    }
}
