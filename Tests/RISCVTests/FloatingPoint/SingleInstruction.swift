import GuestMemory
import Machine

@testable import RISCV

/// One row of the instruction table, executed by itself on a hart in M-mode with the floating-point unit on.
///
/// Operands are in f10 to f12 and x10, results in f13 and x13.
final class SingleInstruction {
    let hart: Hart
    /// The instruction with each of the eight values of its rounding field, if it has one.
    private let operations: UnsafeMutablePointer<Operation>

    init(_ name: String) throws {
        let memory = try GuestMemory(ranges: [(base: 0x8000_0000, size: 4096)])
        hart = Hart(
            index: 0, addressSpace: AddressSpace(memory: memory), timeBase: TimeBase(), resetAddress: 0x8000_0000)
        hart.writeCSR(CSR.mstatus, 1 << 13)
        // A trap ends there: nobody fetches the handler's first instruction.
        hart.wake()
        guard let row = InstructionTable.all.first(where: { $0.name == name }) else { fatalError("no row \(name)") }
        operations = .allocate(capacity: 8)
        for rounding in 0..<8 as Range<UInt32> {
            var fields = 13 << 7 | rounding << 12 | 10 << 15 | 11 << 20 | 12 << 27
            // Loads and stores have an immediate in place of some of the registers: 0.
            if row.match & 0x7F == 0x07 { fields = 13 << 7 | 10 << 15 }
            if row.match & 0x7F == 0x27 { fields = 10 << 15 | 11 << 20 }
            let bits = row.match | fields & ~row.mask
            (operations + Int(rounding)).initialize(to: Operation(row, bits: bits))
        }
    }

    deinit { operations.deallocate() }

    /// Executes the instruction with `field` in its rounding field; false when it trapped.
    func execute(rounding field: Int = 0) -> Bool {
        let operation = OperationReference(operations + field)
        return (operations + field).pointee.execute(HartReference(hart.state), operation) == operation.next
    }
}
