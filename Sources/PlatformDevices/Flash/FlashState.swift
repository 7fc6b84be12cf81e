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
        record.set("mode", commands.mode.rawValue)
        record.set("status", commands.status)
        let (step, block, remaining) = commands.step.code
        record.set("step", step)
        record.set("stepBlock", UInt32(block))
        record.set("stepRemaining", UInt32(remaining))
        record.set("bufferOffsets", commands.buffer.map { UInt64($0.offset) })
        record.set("bufferSizes", commands.buffer.map { UInt64($0.size) })
        record.set("bufferValues", commands.buffer.map { $0.value })
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
        commands = FlashCommands()
        contents = FlashContents(size: size)
        guard let mode = FlashCommands.Mode(rawValue: try record.integer("mode")) else {
            throw .badField(kind: Self.kind, field: "mode")
        }
        commands.mode = mode
        commands.status = try record.integer("status")
        commands.buffer = try Self.buffer(record, size: size)
        let step = FlashCommands.Step(
            code: try record.integer("step"), block: try record.integer("stepBlock"),
            remaining: try record.integer("stepRemaining"))
        guard let step, contents.blocks.indices.contains(step.block),
            step.remaining <= FlashCommands.bufferWords - commands.buffer.count
        else { throw .badField(kind: Self.kind, field: "step") }
        commands.step = step
        for block in try record.records("blocks") {
            try block.expect(kind: Self.blockKind, versions: 1...1)
            let index: Int = try block.integer("index")
            guard contents.blocks.indices.contains(index) else {
                throw .badField(kind: Self.blockKind, field: "index")
            }
            contents.setBlock(index, try block.bytes("bytes", limit: FlashContents.blockSize))
        }
    }

    private static func buffer(
        _ record: SavedRecord, size: Int
    ) throws(SavedStateError) -> [FlashCommands.BufferedWrite] {
        let offsets = try record.integers("bufferOffsets")
        guard offsets.count <= FlashCommands.bufferWords else {
            throw .badField(kind: kind, field: "bufferOffsets")
        }
        let sizes = try record.integers("bufferSizes", count: offsets.count)
        let values = try record.integers("bufferValues", count: offsets.count)
        var writes: [FlashCommands.BufferedWrite] = []
        for (index, offset) in offsets.enumerated() {
            guard [1, 2, 4].contains(sizes[index]), offset <= UInt64(size) - sizes[index] else {
                throw .badField(kind: kind, field: "bufferOffsets")
            }
            writes.append(
                FlashCommands.BufferedWrite(offset: Int(offset), size: Int(sizes[index]), value: values[index]))
        }
        return writes
    }
}

extension FlashCommands.Step {
    /// The erase block that a buffered program is about; 0 for other steps.
    var block: Int { code.block }
    /// How many writes a buffered program still expects; 0 for other steps.
    var remaining: Int { code.remaining }

    /// The step's saved form.
    fileprivate var code: (step: UInt8, block: Int, remaining: Int) {
        switch self {
        case .command: (0, 0, 0)
        case .program: (1, 0, 0)
        case .confirmErase: (2, 0, 0)
        case .lock: (3, 0, 0)
        case .bufferCount(let block): (4, block, 0)
        case .bufferData(let block, let remaining): (5, block, remaining)
        case .confirmBuffer(let block): (6, block, 0)
        }
    }

    fileprivate init?(code: UInt8, block: Int, remaining: Int) {
        switch code {
        case 0: self = .command
        case 1: self = .program
        case 2: self = .confirmErase
        case 3: self = .lock
        case 4: self = .bufferCount(block: block)
        case 5 where remaining > 0: self = .bufferData(block: block, remaining: remaining)
        case 6: self = .confirmBuffer(block: block)
        default: return nil
        }
    }
}
