/// The command interface of a bank of two 16-bit Intel flash chips side by side (Intel's basic command set, CFI primary
/// command set 0x0001), which act as one: commands count by their lowest byte, answers appear in both halves of a word.
struct FlashCommands: Equatable, Sendable {
    /// What reads answer.
    enum Mode: UInt8 { case array, status, identity, query }

    /// What the next write means.
    enum Step: Equatable, Sendable {
        case command
        case program
        case confirmErase
        case lock
        case bufferCount(block: Int)
        case bufferData(block: Int, remaining: Int)
        case confirmBuffer(block: Int)
    }

    /// One write of a buffered program.
    struct BufferedWrite: Equatable, Sendable {
        var offset: Int
        var size: Int
        var value: UInt64
    }

    enum Status {
        static let ready: UInt8 = 0x80
        static let eraseError: UInt8 = 0x20
        static let programError: UInt8 = 0x10
        static let locked: UInt8 = 0x02
    }

    /// Words of a chip's write buffer.
    static let bufferWords = 256

    var mode = Mode.array
    var step = Step.command
    var status = Status.ready
    var buffer: [BufferedWrite] = []

    /// The 32-bit word at a word's index while `mode` is not `array`.
    ///
    /// - Parameters:
    ///   - isBusy: programming or erasing has not finished.
    ///   - isLocked: no block can be changed.
    func word(at index: Int, isBusy: Bool = false, isLocked: Bool = false) -> UInt32 {
        let chip: UInt16 =
            switch mode {
            case .array, .status: UInt16(isBusy ? status & ~Status.ready : status)
            case .identity: identity(index, isLocked)
            case .query: UInt16(index < FlashQuery.table.count ? FlashQuery.table[index] : 0)
            }
        return UInt32(chip) << 16 | UInt32(chip)
    }

    private func identity(_ index: Int, _ isLocked: Bool) -> UInt16 {
        switch index {
        case 0: 0x89  // Intel
        case 1: 0x18  // 16 MiB a chip
        // The lock status of each block is at its third word.
        case let index where isLocked && index % (FlashContents.blockSize / 4) == 2: 1
        default: 0
        }
    }

    /// Takes a write of the bus.
    mutating func write<Cells: FlashCells>(_ value: UInt64, size: Int, at offset: Int, _ contents: inout Cells) {
        let command = UInt8(truncatingIfNeeded: value)
        let block = offset / FlashContents.blockSize
        switch step {
        case .command: begin(command, block: block)
        case .program:
            program(BufferedWrite(offset: offset, size: size, value: value), &contents)
            step = .command
        case .confirmErase:
            if command != 0xD0 {
                fail()
            } else if contents.isReadOnly {
                status |= Status.eraseError | Status.locked
            } else {
                contents.erase(block: block)
            }
            step = .command
        case .lock:
            // Blocks have no locks; set (0x01) and clear (0xD0) are accepted.
            if command != 0x01 && command != 0xD0 { fail() }
            step = .command
        case .bufferCount(let block):
            let words = Int(UInt16(truncatingIfNeeded: value)) + 1
            if words <= Self.bufferWords {
                step = .bufferData(block: block, remaining: words)
            } else {
                fail()
                step = .command
            }
        case .bufferData(let first, let remaining):
            guard block == first else {
                fail()
                buffer = []
                step = .command
                return
            }
            buffer.append(BufferedWrite(offset: offset, size: size, value: value))
            step = remaining > 1 ? .bufferData(block: first, remaining: remaining - 1) : .confirmBuffer(block: first)
        case .confirmBuffer(let first):
            if command == 0xD0, block == first {
                for write in buffer { program(write, &contents) }
            } else {
                fail()
            }
            buffer = []
            step = .command
        }
    }

    private mutating func begin(_ command: UInt8, block: Int) {
        switch command {
        case 0x10, 0x40:
            mode = .status
            step = .program
        case 0x20:
            mode = .status
            step = .confirmErase
        case 0x50: status = Status.ready
        case 0x60:
            mode = .status
            step = .lock
        case 0x70: mode = .status
        case 0x90: mode = .identity
        case 0x98: mode = .query
        case 0xE8:
            mode = .status
            step = .bufferCount(block: block)
        default: mode = .array  // 0xFF, and whatever a driver for other chips probes with
        }
    }

    /// Sets both error bits: a sequence of commands made no sense, or the host failed.
    mutating func fail() { status |= Status.eraseError | Status.programError }

    private mutating func program<Cells: FlashCells>(_ write: BufferedWrite, _ contents: inout Cells) {
        guard !contents.isReadOnly else {
            status |= Status.programError | Status.locked
            return
        }
        for index in 0..<write.size {
            contents.program(UInt8(truncatingIfNeeded: write.value >> UInt64(8 * index)), at: write.offset + index)
        }
    }
}
