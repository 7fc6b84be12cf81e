package import Machine
package import SavedState

/// Registers with which a guest of hardware-reduced ACPI ends or resets the machine (ACPI 6.5, sections 4.8.3.6 to 4.8.3.8):
///
///     offset  access  register
///          0  w       reset: 0x06 resets
///          1  rw      sleep control: bit 5 enters the state of bits 2 to 4; 5 is off
///          2  r       sleep status: 0, because no state is woken from
package final class PowerControl: MemoryMappedDevice {
    package static let size: UInt64 = 3
    package static let resetOffset: UInt64 = 0
    package static let sleepControlOffset: UInt64 = 1
    package static let sleepStatusOffset: UInt64 = 2
    package static let resetValue: UInt8 = 0x06
    /// What the guest finds as `\_S5`: the state that switches off.
    package static let offState: UInt8 = 5

    private static let sleepEnable: UInt64 = 1 << 5

    package let name: String
    private let handler: SystemEventHandler

    package init(name: String, handler: @escaping SystemEventHandler) {
        self.name = name
        self.handler = handler
    }

    /// Reads 0 everywhere: what was written has happened, or has meant nothing.
    package func read(offset: UInt64, size: Int) -> UInt64 { 0 }

    package func write(offset: UInt64, size: Int, value: UInt64) {
        guard size == 1 else { return }
        switch offset {
        case Self.resetOffset where value == UInt64(Self.resetValue): handler(.reset)
        case Self.sleepControlOffset where value & Self.sleepEnable != 0 && value >> 2 & 7 == UInt64(Self.offState):
            handler(.powerOff)
        default: break
        }
    }

    package func reset() {}

    /// Nothing is kept.
    package func save() throws(SavedStateError) -> SavedRecord { SavedRecord(kind: "power-control", version: 1) }

    package func restore(_ state: SavedRecord) throws(SavedStateError) {
        try state.expect(kind: "power-control", versions: 1...1)
    }
}
