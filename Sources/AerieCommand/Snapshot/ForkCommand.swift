internal import Aerie
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

    private static let most = 1000

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
        guard machine.isRunning else {
            throw AerieError(
                .usage, asked: "forking machine '\(machine.record.name)'", found: "it is not running",
                advice: "start it with 'aerie start \(machine.record.name)'")
        }
        let names = try Self.free(count, prefix: name ?? machine.record.name)
        try userSnapshots().withTemporary(of: machine.record) { work in
            try SnapshotFiles.save(machine, to: work)
        } _: { snapshot in
            for name in names { try Self.start(snapshot, name: name) }
        }
    }

    private static func start(_ snapshot: Snapshot, name: String) throws {
        let copy = try SnapshotRestoring(snapshot: snapshot, publishesPorts: false).start(name: name)
        try MachineIdentityRenewal().run(copy)
        print(name)
        try? ProcessStart.flushStandardOutput()
    }

    private func number() throws(AerieError) -> Int {
        guard let count else { return 1 }
        if let number = Int(count), (1...Self.most).contains(number) { return number }
        throw AerieError(
            .usage, asked: "--count \(count)", found: "it is not a number of copies",
            advice: "give one from 1 to \(Self.most)")
    }

    /// The first names of the prefix that no machine has.
    static func free(_ count: Int, prefix: String) throws(AerieError) -> [String] {
        let taken = Set(try userMachines().machines().map(\.record.name))
        return Array((1...).lazy.map { "\(prefix)-\($0)" }.filter { !taken.contains($0) }.prefix(count))
    }
}
