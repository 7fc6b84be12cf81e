internal import SavedState

/// The saved form of a command interface.
extension FlashCommands {
    func save(into record: inout SavedRecord) {
        record.set("mode", mode.rawValue)
        record.set("status", status)
        let (step, block, remaining) = step.code
        record.set("step", step)
        record.set("stepBlock", UInt32(block))
        record.set("stepRemaining", UInt32(remaining))
        record.set("bufferOffsets", buffer.map { UInt64($0.offset) })
        record.set("bufferSizes", buffer.map { UInt64($0.size) })
        record.set("bufferValues", buffer.map { $0.value })
    }

    /// - Parameter size: of the bank, in bytes.
    init(_ record: SavedRecord, size: Int) throws(SavedStateError) {
        self.init()
        guard let mode = Mode(rawValue: try record.integer("mode")) else {
            throw .badField(kind: record.kind, field: "mode")
        }
        self.mode = mode
        status = try record.integer("status")
        buffer = try Self.buffer(record, size: size)
        let step = Step(
            code: try record.integer("step"), block: try record.integer("stepBlock"),
            remaining: try record.integer("stepRemaining"))
        guard let step, (0..<size / FlashContents.blockSize).contains(step.block),
            step.remaining <= Self.bufferWords - buffer.count
        else { throw .badField(kind: record.kind, field: "step") }
        self.step = step
    }

    private static func buffer(
        _ record: SavedRecord, size: Int
    ) throws(SavedStateError) -> [BufferedWrite] {
        let offsets = try record.integers("bufferOffsets")
        guard offsets.count <= bufferWords else {
            throw .badField(kind: record.kind, field: "bufferOffsets")
        }
        let sizes = try record.integers("bufferSizes", count: offsets.count)
        let values = try record.integers("bufferValues", count: offsets.count)
        var writes: [BufferedWrite] = []
        for (index, offset) in offsets.enumerated() {
            guard [1, 2, 4].contains(sizes[index]), offset <= UInt64(size) - sizes[index] else {
                throw .badField(kind: record.kind, field: "bufferOffsets")
            }
            writes.append(
                BufferedWrite(offset: Int(offset), size: Int(sizes[index]), value: values[index]))
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
