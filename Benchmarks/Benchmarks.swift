import ArgumentParser

/// What `make bench` runs: programs of our own here, on Aerie's engines and on Debian's QEMU, in turn.
///
/// Every figure is CPU seconds, user and system, of the process that runs the program, as a multiple of what the host needs
/// for the same program. The median of the rounds counts.
@main
struct Benchmarks: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "Benchmarks",
        abstract: "Measures Aerie beside the host and beside QEMU.",
        subcommands: [KernelsCommand.self, SystemCommand.self, WorkloadsCommand.self, HardwareCommand.self],
        defaultSubcommand: KernelsCommand.self)
}
