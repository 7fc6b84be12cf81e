import ArgumentParser

/// The benchmarks of `make bench`: the same programs on the host, on Aerie's engines and on Debian's QEMU, alternating.
///
/// The measure is the CPU time, user and system, of the process that runs the program. Results are medians of the rounds, as
/// multiples of the host's time for the same program.
@main
struct Benchmarks: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "Benchmarks",
        abstract: "Measures Aerie beside the host and beside QEMU.",
        subcommands: [
            KernelsCommand.self, SystemCommand.self, WorkloadsCommand.self, HardwareCommand.self, IOCommand.self,
            DensityCommand.self, ExecBenchmark.self, MachinesCommand.self, SnapshotsCommand.self,
            HypervisorCommand.self,
        ],
        defaultSubcommand: KernelsCommand.self)
}
