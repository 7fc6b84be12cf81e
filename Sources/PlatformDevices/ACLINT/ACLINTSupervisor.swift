package import Machine
package import SavedState

/// The supervisor-level software interrupts of the harts (RISC-V ACLINT Specification: SSWI): a 32-bit register a hart,
/// setssip, that reads as 0.
///
/// Writing a value with bit 0 set is an edge that sets the hart's SSIP bit, which only the hart clears; there is no state.
package final class ACLINTSupervisor: MemoryMappedDevice {
    package static let size: UInt64 = 0x4000
    private static let kind = "aclint-sswi"

    package let name: String
    private let lines: [InterruptLine]

    /// - Parameter harts: lines that set SSIP when raised, and are never lowered.
    package init(name: String, harts: [InterruptLine]) {
        precondition(harts.count <= ACLINT.maximumHarts, "an ACLINT serves up to 4095 harts")
        self.name = name
        lines = harts
    }

    package func read(offset: UInt64, size: Int) -> UInt64 { 0 }

    package func write(offset: UInt64, size: Int, value: UInt64) {
        WordAccess.write(offset: offset, size: size, value: value) { offset, value in
            guard offset / 4 < lines.count, value & 1 != 0 else { return }
            lines[Int(offset / 4)].set(true)
        }
    }

    package func reset() {}

    package func save() throws(SavedStateError) -> SavedRecord {
        SavedRecord(kind: Self.kind, version: 1)
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: Self.kind, versions: 1...1)
    }
}
