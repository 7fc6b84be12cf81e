internal import ArgumentParser
internal import DiskImages
internal import TextTables

struct DiskMap: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "map",
        abstract: "Show where the contents of a disk are.",
        discussion: """
            Example:
              aerie disk map --format json work.qcow2,format=qcow2

            DEPTH counts the images from the one that is named to the one that has the contents.
            """)

    @Argument(help: "The image, as FILE[,format=raw|qcow2].")
    var file: String

    @OptionGroup var format: FormatOptions
    @OptionGroup var verbosity: VerbosityOptions

    private struct Row: Encodable {
        let start: UInt64
        let length: UInt64
        let depth: Int
        let zero: Bool
        let offset: UInt64?
    }

    func run() throws {
        let rows = try DiskArgument(file).open().extents().map { extent in
            Row(
                start: extent.range.lowerBound, length: extent.count, depth: extent.depth,
                zero: extent.contents == .zero, offset: extent.offset)
        }
        switch format.format {
        case .json: try format.printJSON(rows)
        case .text:
            let cells = rows.map { row in
                [
                    "\(row.start)", "\(row.length)", row.zero ? "zero" : "data", "\(row.depth)",
                    row.offset.map { "\($0)" } ?? "",
                ]
            }
            print(TextTable(titles: ["START", "LENGTH", "CONTENTS", "DEPTH", "OFFSET"], rows: cells).text)
        }
    }
}
