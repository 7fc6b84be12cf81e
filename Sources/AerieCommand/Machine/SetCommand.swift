internal import Aerie
internal import AerieMachines
internal import ArgumentParser
internal import ControlAPI
internal import MachineSession
internal import Runtime

struct SetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Change a running machine, or the devices of a stopped one.",
        discussion: """
            The changes last until the machine ends; 'aerie inspect' shows them. Disks and network cards that are added or removed stay so; \
            those of a stopped machine come and go with its next start. \
            --memory waits for the guest. When the guest gets no further for four seconds, the command says how far it has come, and its \
            exit code is 1; the request stays. --memory of a machine that was made with --max-memory goes up to that size.

            Examples:
              aerie set build --memory 256M
              aerie set build --memory 4G        (made with --max-memory 4G or more)
              aerie set build --memory-policy pressure,idle=600
              aerie set build --disk 1=20G
              aerie set build --link 0=down
              aerie set build --cpu-weight 50 --cpu-limit 150%
              aerie set build --disk-rate 10M --network-rate 0=1000pps
              aerie set build --add-disk data.qcow2,format=qcow2,serial=data
              aerie set build --remove-disk data
              aerie set build --add-network user --remove-network 52:54:00:12:34:56
            """)

    @OptionGroup var machine: OneMachine

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Ask the guest to live with this much memory; up to what the machine has, or its --max-memory.",
            valueName: "size"))
    var memory: String?

    @Option(
        help: ArgumentHelp(
            "Save memory of the host: fixed (nothing), pressure, idle[=SECONDS], or the last two with a comma.",
            valueName: "policy"))
    var memoryPolicy: String?

    @Option(
        help: ArgumentHelp(
            "Make a raw disk larger, as NUMBER=SIZE. An image's root disk is number 0, which cannot grow while the guest runs. Repeatable.",
            valueName: "disk"))
    var disk: [String] = []

    @Option(
        help: ArgumentHelp("Take a network card's link down or up, as NUMBER=down|up. Repeatable.", valueName: "link"))
    var link: [String] = []

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The machine's part of a busy processor, 1 to 10000.", valueName: "n"))
    var cpuWeight: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The most processor time, in percent of one processor, or none.", valueName: "percent"))
    var cpuLimit: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Run on these processors of the host only, such as 0-3,6.", valueName: "list"))
    var pin: String?

    @Option(
        help: ArgumentHelp(
            "Limit a disk, or all disks, as [NUMBER=]RATE: 10M bytes in a second, 500iops, both with a comma, or none. Repeatable.",
            valueName: "rate"))
    var diskRate: [String] = []

    @Option(
        help: ArgumentHelp(
            "Limit a network card, or all cards, as [NUMBER=]RATE: 10M bytes in a second, 1000pps, both, or none. Repeatable.",
            valueName: "rate"))
    var networkRate: [String] = []

    @Option(
        help: ArgumentHelp(
            "Plug a disk in, as FILE[,format=F][,readonly][,serial=S][,cache=C][,rate=R]: into a machine with --transport pci, in one of 4 slots. Repeatable.",
            valueName: "disk"))
    var addDisk: [String] = []

    @Option(
        help: ArgumentHelp(
            "Take a disk out that was plugged in, by its serial or file; the guest has a minute to let go of it. Repeatable.",
            valueName: "disk"))
    var removeDisk: [String] = []

    @Option(
        help: ArgumentHelp(
            "Plug a network card in, as user|tap[=NAME][,mac=M][,queues=N][,rate=R]: into a machine with --transport pci. Repeatable.",
            valueName: "network"))
    var addNetwork: [String] = []

    @Option(
        help: ArgumentHelp(
            "Take a network card out that was plugged in, by its MAC address, which 'aerie inspect' prints. Repeatable.",
            valueName: "address"))
    var removeNetwork: [String] = []

    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let machine = try machine.find()
        // Every word is read before the first change.
        let changes = try changes(machine.record.configuration)
        guard changes != MachineChanges() else {
            throw AerieError(
                .usage, asked: "set", found: "nothing is to be changed", advice: "see 'aerie help set'")
        }
        try changes.apply(to: machine)
        guard let memory else { return }
        guard try MemoryProgress.wait(try ControlClient(machine), asked: "--memory \(memory)") else {
            throw ExitCode(1)
        }
    }

    private func changes(_ configuration: Configuration) throws(AerieError) -> MachineChanges {
        var changes = MachineChanges()
        for text in disk { try changes.add(diskSize: text) }
        for text in link { try changes.add(link: text) }
        for text in diskRate { try changes.add(diskRate: text, count: configuration.disks.count) }
        for text in networkRate { try changes.add(networkRate: text, count: configuration.networkCards.count) }
        for text in addDisk { changes.addedDisks.append(try Disk(option: text)) }
        for text in addNetwork { changes.addedNetworkCards.append(try NetworkCard(option: text)) }
        (changes.removedDisks, changes.removedNetworkCards) = (removeDisk, removeNetwork)
        if let cpuWeight { changes.cpuWeight = try ProcessorShare.weight(cpuWeight, asked: "--cpu-weight") }
        if let cpuLimit {
            let limit = try ProcessorShare.limit(cpuLimit, asked: "--cpu-limit")
            changes.cpuLimit = limit.map { .percent($0) } ?? MachineChanges.ProcessorLimit.none
        }
        if let pin { changes.processors = try ProcessorShare.processors(pin, asked: "--pin") }
        if let memoryPolicy { changes.memoryPolicy = try MemoryPolicy(option: memoryPolicy) }
        if let memory { changes.memory = try RunSettings.size(memory, asked: "--memory") }
        return changes
    }
}
