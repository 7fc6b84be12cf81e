internal import Aerie
internal import AerieMachines
internal import ArgumentParser
internal import ControlAPI
internal import HostSystem
internal import Runtime

struct ForkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fork",
        abstract: "Make running copies of a running machine.",
        discussion: """
            The machine goes on after a moment. Its copies share its memory as it was and their disk with it until they write, and each \
            is somebody else: it has its own host name, machine ID, random numbers and disk. A copy has no published ports. Prints the \
            copies' names.

            Example:
              aerie fork build --count 3 --name worker
              aerie exec worker-2 hostname
            """)

    @OptionGroup var machine: OneMachine
    @Option(parsing: .unconditional, help: ArgumentHelp("How many copies, 1 to 1000 (default: 1).", valueName: "n"))
    var count: String?
    @Option(
        help: ArgumentHelp(
            "The copies' names are this one, a hyphen and a number (default: the machine's name).", valueName: "prefix")
    )
    var name: String?
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let count = try number()
        let machine = try machine.find()
        let fork = MachineFork(
            machine: machine, starter: try MachineStarting.starter)
        try fork.run(count: count, prefix: name) { copy in
            print(copy.record.name)
            try? ProcessStart.flushStandardOutput()
        }
    }

    private func number() throws(AerieError) -> Int {
        guard let count else { return 1 }
        if let number = Int(count), MachineFork.counts.contains(number) { return number }
        throw AerieError(
            .usage, asked: "--count \(count)", found: "it is not a number of copies",
            advice: "give one from 1 to \(MachineFork.counts.upperBound)")
    }
}
