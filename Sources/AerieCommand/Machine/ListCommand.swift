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
            """)

    @Flag(name: [.short, .long], help: "List machines that do not run, too.")
    var all = false

    @Flag(name: [.short, .long], help: "Print IDs only.")
    var quiet = false

    @Option(
        help: ArgumentHelp(
            "List machines for which KEY=VALUE holds, with one of the keys id, name, state, image, label, health. Repeatable.",
            valueName: "condition"))
    var filter: [String] = []

    @OptionGroup var format: FormatOptions
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let filters = try filter.map { try MachineFilter($0) }
        // A question about states is about all machines.
        let listings = try userMachines().machines().map { MachineListing($0) }
            .filter { (all || !filter.isEmpty || $0.isLive) && MachineFilter.all(filters, hold: $0) }
        if quiet { return listings.forEach { print($0.id) } }
        switch format.format {
        case .json: try format.printJSON(listings)
        case .text:
            let rows = listings.map { listing in
                [
                    listing.id, listing.name, listing.image ?? "-", Self.shortened(listing.command),
                    listing.stateText(), listing.ports.isEmpty ? "-" : listing.ports.joined(separator: ", "),
                ]
            }
            print(TextTable(titles: ["ID", "NAME", "IMAGE", "COMMAND", "STATE", "PORTS"], rows: rows).text)
        }
    }

    /// A guest's command may be long, and may have characters that a terminal would obey.
    private static func shortened(_ command: [String]) -> String {
        let text = command.joined(separator: " ").unicodeScalars.map { scalar in
            scalar.properties.generalCategory == .control ? "?" : Character(scalar)
        }
        if text.isEmpty { return "-" }
        return text.count > 24 ? String(text.prefix(23)) + "…" : String(text)
    }
}
