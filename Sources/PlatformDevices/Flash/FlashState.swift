internal import SavedState

/// Everything of a flash bank that its lock protects, and its saved form: blocks that hold anything, by index.
struct FlashState: Equatable, Sendable {
    static let kind = "cfi-flash"

    var commands: FlashCommands
    var contents: FlashContents

    init(commands: FlashCommands, contents: FlashContents) {
        self.commands = commands
        self.contents = contents
    }

    var saved: SavedRecord {
        var record = SavedRecord(kind: Self.kind, version: 1)
        commands.save(into: &record)
        record.set(
            "blocks",
            contents.blocks.enumerated().compactMap { index, bytes in
                guard let bytes else { return nil }
                var block = SavedRecord(kind: Self.blockKind, version: 1)
                block.set("index", UInt32(index))
                block.set("bytes", bytes)
                return block
            })
        return record
    }

    private static let blockKind = "cfi-flash-block"

    init(_ record: SavedRecord, size: Int) throws(SavedStateError) {
        try record.expect(kind: Self.kind, versions: 1...1)
        contents = FlashContents(size: size)
        commands = try FlashCommands(record, size: size)
        for block in try record.records("blocks") {
            try block.expect(kind: Self.blockKind, versions: 1...1)
            let index: Int = try block.integer("index")
            guard contents.blocks.indices.contains(index) else {
                throw .badField(kind: Self.blockKind, field: "index")
            }
            contents.setBlock(index, try block.bytes("bytes", limit: FlashContents.blockSize))
        }
    }
}
