internal import ArgumentParser
internal import Runtime
internal import TextTables

struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ps",
        abstract: "List the machines that run.",
        discussion: """
            Examples:
              aerie ps --all
              aerie ps --filter state=exited --format json
              aerie ps --filter label=aerie.project=shop
              aerie ps --addresses
            """)

    @Flag(name: [.short, .long], help: "List machines that do not run, too.")
    var all = false

    @Flag(help: "Print commands as a whole.")
    var noTrunc = false

    @Flag(name: [.short, .long], help: "Print IDs only.")
    var quiet = false

    @Flag(help: "Show the addresses of running guests, too, which their agents are asked for.")
    var addresses = false

    @Option(
        help: ArgumentHelp(
            "List machines for which KEY=VALUE holds, with one of the keys id, name, state, image, label, health. Repeatable.",
            valueName: "condition"))
    var filter: [String] = []

    @OptionGroup var format: FormatOptions
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let filters = try filter.map { try MachineFilter($0) }
        let directory = try userMachines()
        try directory.requireReadable()
        // A question about states is about all machines.
        let found = directory.machines().map { (machine: $0, listing: MachineListing($0)) }
            .filter { (all || !filter.isEmpty || $0.listing.isLive) && MachineFilter.all(filters, hold: $0.listing) }
        var listings = found.map(\.listing)
        if quiet { return listings.forEach { print($0.id) } }
        if addresses {
            for (index, addresses) in GuestAddresses.read(found.map(\.machine)).enumerated() {
                listings[index].addresses = addresses ?? []
            }
        }
        switch format.format {
        case .json: try format.printJSON(listings)
        case .text:
            let rows = listings.map { listing in
                [
                    listing.id, listing.name, listing.image ?? "-",
                    noTrunc ? Self.printable(listing.command) : Self.shortened(listing.command),
                    listing.stateText(), Self.joined(listing.ports),
                ] + (addresses ? [Self.joined(listing.reachableAddresses)] : [])
            }
            let titles = ["ID", "NAME", "IMAGE", "COMMAND", "STATE", "PORTS"] + (addresses ? ["ADDRESSES"] : [])
            print(TextTable(titles: titles, rows: rows).text)
        }
    }

    private static func joined(_ words: [String]) -> String { words.isEmpty ? "-" : words.joined(separator: ", ") }

    /// A guest's command may be long, and may have characters that a terminal would obey.
    private static func shortened(_ command: [String]) -> String {
        let text = printable(command)
        return text.count > 24 ? String(text.prefix(23)) + "…" : text
    }

    private static func printable(_ command: [String]) -> String {
        let text = command.joined(separator: " ").unicodeScalars.map { scalar in
            scalar.properties.generalCategory == .control ? "?" : Character(scalar)
        }
        return text.isEmpty ? "-" : String(text)
    }
}
