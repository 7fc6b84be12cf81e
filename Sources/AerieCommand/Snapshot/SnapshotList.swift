internal import ArgumentParser
internal import Foundation
internal import Runtime
internal import TextTables

struct SnapshotList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List snapshots.",
        discussion: """
            Example:
              aerie snapshot ls --format json
            """)

    @Flag(name: [.short, .long], help: "Print IDs only.")
    var quiet = false
    @OptionGroup var format: FormatOptions
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let listings = try userSnapshots().snapshots().map { SnapshotListing($0) }
        if quiet { return listings.forEach { print($0.id) } }
        switch format.format {
        case .json: try format.printJSON(listings)
        case .text:
            let rows = listings.map { listing in
                [
                    listing.id, listing.name, listing.machine, listing.image ?? "-",
                    MachineListing.duration(Date().timeIntervalSince(listing.created)) + " ago",
                    listing.hasState ? "memory and disk" : "disk", "\((listing.size + (1 << 20) - 1) >> 20)M",
                ]
            }
            print(
                TextTable(titles: ["ID", "NAME", "MACHINE", "IMAGE", "CREATED", "CONTENTS", "SIZE"], rows: rows).text)
        }
    }
}
