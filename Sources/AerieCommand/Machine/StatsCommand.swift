internal import Aerie
internal import AerieMachines
internal import ArgumentParser
internal import ControlAPI
internal import Foundation
internal import HostSystem
internal import Runtime
internal import TextTables

struct StatsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Print the processor time, the memory and the transfers of running machines.",
        discussion: """
            Processor time is in percent of one processor, and transfers are bytes and operations in a second, over half a second. \
            GUEST MEM is the host's memory that the guest occupies, of the memory that it has; AVAILABLE is the guest's own figure.

            Examples:
              aerie stats
              aerie stats --watch build
              aerie stats --format json
            """)

    private struct Sample {
        let machine: Machine
        let statistics: MachineStatistics

        /// Nil when the machine does not run.
        init?(_ machine: Machine) {
            guard let statistics = MachineStatistics(machine) else { return nil }
            self.machine = machine
            self.statistics = statistics
        }
    }

    /// Microseconds.
    private static let sampleTime: UInt32 = 500_000
    private static let watchTime: UInt32 = 1_000_000

    @Argument(
        help: ArgumentHelp(
            "Names or IDs of machines (default: all that run); the beginning of an ID is enough.", valueName: "machine")
    )
    var names: [String] = []

    @Flag(name: [.short, .long], help: "Print the figures again each second until Ctrl-C. On a terminal only.")
    var watch = false

    @Flag(help: "Print the figures once, which is the default.")
    var noStream = false

    @OptionGroup var format: FormatOptions
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        if watch { try checkTerminal() }
        var first = try samples(isFirst: true)
        usleep(Self.sampleTime)
        while true {
            let last = try samples(isFirst: false)
            // A machine that ended or began meanwhile has no figures.
            let figures = last.compactMap { sample in
                first.first { $0.machine.record.id == sample.machine.record.id }.flatMap {
                    MachineFigures(sample.machine, from: $0.statistics, to: sample.statistics)
                }
            }
            if format.format == .json { return try format.printJSON(figures) }
            let table = TextTable(titles: MachineFigures.titles, rows: figures.map(\.cells)).text
            guard watch else { return print(table) }
            // Home, and clear to the end: the screen does not flicker.
            print("\u{1B}[H\u{1B}[J\(table)")
            do throws(SystemError) { try ProcessStart.flushStandardOutput() } catch { throw AerieError(output: error) }
            first = last
            usleep(Self.watchTime)
        }
    }

    private func checkTerminal() throws(AerieError) {
        guard format.format == .text, isatty(STDOUT_FILENO) == 1 else {
            throw AerieError(
                .usage, asked: "--watch", found: "standard output is not a terminal, or --format json is given",
                advice: "leave it out")
        }
    }

    /// - Parameter isFirst: a machine that a user names has to run; later it may end.
    private func samples(isFirst: Bool) throws -> [Sample] {
        let directory = try userMachines()
        guard !names.isEmpty else { return directory.machines().compactMap { Sample($0) } }
        return try names.compactMap { name in
            guard isFirst else { return (try? directory.find(name)).flatMap { Sample($0) } }
            let machine = try directory.find(name)
            if let sample = Sample(machine) { return sample }
            throw AerieError(
                .usage, asked: "the statistics of machine '\(machine.record.name)'", found: "it is not running",
                advice: "start it with 'aerie start'")
        }
    }
}
