internal import ArgumentParser
internal import Foundation
internal import Runtime
internal import TextTables

struct SnapshotList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List snapshots.",
        discussion: """
            SIZE is the storage of files that no other snapshot has: 'aerie snapshot rm' frees it. SHARED is that of files which other \
            snapshots need, too.

            Examples:
              aerie snapshot ls --tree
              aerie snapshot ls --format json
            """)

    @Flag(name: [.short, .long], help: "Print IDs only.")
    var quiet = false
    @Flag(help: "Show each snapshot below the one that its machine went on from.")
    var tree = false
    @OptionGroup var format: FormatOptions
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let listings = SnapshotListing.all(try userSnapshots().snapshots(), asTree: tree)
        if quiet { return listings.forEach { print($0.id) } }
        switch format.format {
        case .json: try format.printJSON(listings)
        case .text:
            let rows = listings.map { listing in
                [
                    listing.id, listing.branch + listing.name, listing.machine, listing.image ?? "-",
                    MachineListing.duration(Date().timeIntervalSince(listing.created)) + " ago",
                    listing.hasState ? "memory and disk" : "disk", Self.megabytes(listing.size),
                    Self.megabytes(listing.shared),
                ]
            }
            print(
                TextTable(
                    titles: ["ID", "NAME", "MACHINE", "IMAGE", "CREATED", "CONTENTS", "SIZE", "SHARED"], rows: rows
                ).text)
        }
    }

    private static func megabytes(_ bytes: UInt64) -> String { "\((bytes + (1 << 20) - 1) >> 20)M" }
}
