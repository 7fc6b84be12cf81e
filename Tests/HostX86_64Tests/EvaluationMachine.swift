import Glibc
import HostSystem
import Translator

@testable import HostX86_64

/// A guest state of 64 slots for blocks of one statement.
final class EvaluationMachine {
    private let room: Mapping
    private var generator: Generator
    private let state: UnsafeMutablePointer<UInt64>

    // Words of the state after the slots.
    private static let retired = 64
    private static let limit = 65

    init(features: HostFeatures) throws {
        // Written and executed by one thread.
        room = try Mapping(
            count: 16 << 20, protection: PROT_READ | PROT_WRITE | PROT_EXEC, flags: MAP_PRIVATE | MAP_ANONYMOUS)
        state = .allocate(capacity: 128)
        state.initialize(repeating: 0, count: 128)
        var layout = StateLayout(pinned: [2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map { Slot($0) })
        // Vectors lie from here on.
        layout.firstMemorySlot = Slot(20)
        layout.retired = Self.retired * 8
        layout.retiredLimit = Self.limit * 8
        layout.programCounter = 66 * 8
        layout.instructionAddress = 67 * 8
        layout.exitReason = 68 * 8
        layout.accessFailed = 69 * 8
        layout.floats.ready = 70 * 8
        layout.floats.control = 71 * 8
        layout.floats.flags = 72 * 8
        generator = Generator(
            code: room.address, layout: layout, features: features)
    }

    deinit { state.deallocate() }

    /// The position of a block's code.
    func translate(_ statement: Statement) -> Int { translate([statement]) }

    /// The position of a block of statements that all belong to one instruction.
    func translate(_ statements: [Statement]) -> Int {
        let block = GuestBlock(
            address: 0x1000, steps: statements.map { Step($0, number: 0, address: 0x1000) }, terminator: .jump(0x2000),
            count: 1)
        return generator.translate([block]) { _ in .pending }.entries[0]
    }

    func forget() { generator.begin(at: generator.firstBlock, in: room.address + generator.firstBlock) }

    /// Runs a block from slots with these values and returns a slot afterwards.
    func run(_ code: Int, _ slots: [UInt8: UInt64], read: UInt8) -> UInt64 {
        for (slot, value) in slots { state[Int(slot)] = value }
        state[Self.retired] = 0
        state[Self.limit] = 100
        let enter = unsafeBitCast(
            room.address + generator.entry, to: (@convention(c) (UnsafeMutableRawPointer, UInt) -> UInt).self)
        _ = enter(UnsafeMutableRawPointer(state), UInt(bitPattern: room.address + code))
        precondition(state[68] == ExitReason.jump.rawValue && state[66] == 0x2000 && state[Self.retired] == 1)
        return state[Int(read)]
    }
}
