internal import Aerie
internal import ArgumentParser
internal import ControlAPI
internal import MachineSession
internal import Runtime

struct SetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Change a running machine.",
        discussion: """
            The changes last until the machine ends. --memory of a machine that was made with --max-memory goes up to that size; \
            the command waits for the guest, and says how far it has come when it gets no further.

            Examples:
              aerie set build --memory 256M
              aerie set build --memory 4G        (made with --max-memory 4G or more)
              aerie set build --disk 1=20G
              aerie set build --link 0=down
              aerie set build --cpu-weight 50 --cpu-limit 150%
              aerie set build --disk-rate 10M --network-rate 0=1000pps
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
            "Make a raw disk larger, as NUMBER=SIZE; an image's root disk is number 0. Repeatable.", valueName: "disk"))
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

    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let machine = try machine.find()
        // Every word is read before the first change.
        var changes = try deviceChanges(machine)
        let weight = try cpuWeight.map { text throws(AerieError) in
            try ProcessorShare.weight(text, asked: "--cpu-weight")
        }
        let limit = try cpuLimit.map { text throws(AerieError) in try ProcessorShare.limit(text, asked: "--cpu-limit") }
        let processors = try pin.map { text throws(AerieError) in
            try ProcessorShare.processors(text, asked: "--pin")
        }
        if let memory {
            let size = try RunSettings.size(memory, asked: "--memory")
            changes.append(DeviceChange(method: .setMemory, parameters: ["bytes": JSONValue(size.bytes)]))
        }
        let changesShare = weight != nil || limit != nil || processors != nil
        guard !changes.isEmpty || changesShare else {
            throw AerieError(
                .usage, asked: "set", found: "nothing is to be changed", advice: "see 'aerie help set'")
        }
        let client = try ControlClient(machine)
        if changesShare {
            try MachineShare.change(machine, weight: weight, limit: limit, processors: processors) {
                (limit) throws(AerieError) in
                try client.call(.setCPU, ["limit": limit.map { JSONValue($0) } ?? .null])
            }
        }
        for change in changes { try client.call(change.method, change.parameters) }
        if let memory, machine.record.configuration.memoryGrowth != nil {
            try MemoryProgress.wait(client, asked: "--memory \(memory)")
        }
    }

    private func deviceChanges(_ machine: Machine) throws(AerieError) -> [DeviceChange] {
        let configuration = machine.record.configuration
        var changes: [DeviceChange] = []
        for text in disk { changes.append(try DeviceChange(diskSize: text)) }
        for text in link { changes.append(try DeviceChange(link: text)) }
        for text in diskRate {
            changes += try DeviceChange.rates(text, of: .setDiskRate, count: configuration.disks.count)
        }
        for text in networkRate {
            changes += try DeviceChange.rates(text, of: .setNetworkRate, count: configuration.networkCards.count)
        }
        return changes
    }
}
