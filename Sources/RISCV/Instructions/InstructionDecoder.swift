internal import Glibc
internal import HostSystem

/// Unpacks instructions, most of which it has met before: there are few different ones in a program.
struct InstructionDecoder: ~Copyable {
    struct Entry {
        /// The instruction's bits and 1 more; 0 where there is none.
        fileprivate var key: UInt64
        fileprivate(set) var operation: Operation
        /// No instruction of the same block follows.
        fileprivate(set) var endsBlock: Bool
    }

    private static let sizeBits = 11
    // Zeroed memory is entries that hold nothing.
    private let entries = zeroedMemory(Entry.self, 1 << sizeBits)
    private let extensions: ExtensionSet

    /// - Parameter extensions: those of the hart. The instructions of others are undefined.
    init(_ extensions: ExtensionSet) { self.extensions = extensions }

    deinit { free(entries) }

    /// The operation for 16 or 32 bits, told apart by the lowest two, at the start of a block. It is there until the next call.
    mutating func decode(_ bits: UInt32) -> UnsafePointer<Entry> {
        let number = (bits &* 0x9E37_79B1) >> UInt32(32 - Self.sizeBits)
        let entry = entries + Int(number)
        let key = UInt64(bits) + 1
        if entry.pointee.key != key {
            let instruction = InstructionTable.find(bits, on: extensions) ?? undefinedInstruction
            entry.initialize(
                to: Entry(
                    key: key, operation: Operation(instruction, bits: bits), endsBlock: instruction.endsBlock))
        }
        return UnsafePointer(entry)
    }
}

/// Stands for bits that no row of the table matches.
private let undefinedInstruction = Instruction("undefined", .none, 0, 0, endsBlock: true) { illegal($0, $1) }
