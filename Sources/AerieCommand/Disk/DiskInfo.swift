internal import ArgumentParser
internal import DiskImages
internal import Foundation
internal import TextTables

struct DiskInfo: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info",
        abstract: "Show an image's format and size, and what it is based on.",
        discussion: """
            Example:
              aerie disk info --format json work.qcow2
            """)

    @Argument(help: "The image; the format is shown by which it begins unless ',format=' is given.")
    var file: String

    @OptionGroup var format: FormatOptions
    @OptionGroup var verbosity: VerbosityOptions

    private struct Summary: Encodable {
        struct Qcow2: Encodable {
            let version: Int
            let clusterSize: UInt64
            let refcountBits: Int
            let compression: String
            let snapshots: Int
            let lazyRefcounts: Bool
            let dirty: Bool
            let corrupt: Bool
        }

        let file: String
        let format: String
        let size: UInt64
        let allocatedSize: UInt64
        let qcow2: Qcow2?
        let backingFile: String?
        let backingFormat: String?

        init(_ image: DiskInformation) {
            file = image.path
            format = image.format.rawValue
            size = image.size
            allocatedSize = image.allocatedSize
            backingFile = image.qcow2?.backingFile
            backingFormat = image.qcow2?.backingFormat
            qcow2 = image.qcow2.map {
                Qcow2(
                    version: $0.version, clusterSize: $0.clusterSize, refcountBits: $0.refcountBits,
                    compression: $0.compression, snapshots: $0.snapshotCount, lazyRefcounts: $0.hasLazyRefcounts,
                    dirty: $0.isDirty, corrupt: $0.isCorrupt)
            }
        }
    }

    func run() throws {
        let argument = try DiskArgument(file)
        let chain = try DiskInformation.chain(path: argument.path, format: argument.format)
        switch format.format {
        case .json: try format.printJSON(chain.map(Summary.init))
        case .text: print(chain.map(Self.text).joined(separator: "\n\n"))
        }
    }

    private static func text(_ image: DiskInformation) -> String {
        var lines = [
            ("file", image.path), ("format", image.format.rawValue),
            ("size", "\(HumanSize.text(image.size)) (\(image.size) bytes)"),
            ("allocated", HumanSize.text(image.allocatedSize)),
        ]
        if let qcow2 = image.qcow2 {
            lines.append(("version", "\(qcow2.version)"))
            lines.append(("clusters", "\(HumanSize.text(qcow2.clusterSize)), \(qcow2.compression)"))
            if qcow2.snapshotCount > 0 { lines.append(("snapshots", "\(qcow2.snapshotCount)")) }
            if qcow2.isDirty { lines.append(("state", "not closed")) }
            if qcow2.isCorrupt { lines.append(("state", "corrupt")) }
            if let name = qcow2.backingFile {
                lines.append(("backing file", "\(name) (\(qcow2.backingFormat ?? "no format is given"))"))
            }
        }
        var table = TextTable([.left(12), .left()])
        for (name, value) in lines { table.add([name, value]) }
        return table.text
    }
}
