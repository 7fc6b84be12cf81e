package import Machine
package import SavedState

/// SiFive's test device (`sifive,test1`): a 32-bit register through which a guest ends or resets the machine.
///
///     bits 15...0   0x5555 power off, 0x3333 failure, 0x7777 reset; anything else does nothing
///     bits 31...16  the code of a failure
///
/// It reads as 0 and has no state. Writes of 2, 4 and 8 bytes count.
package final class TestFinisher: MemoryMappedDevice {
    package static let size: UInt64 = 0x1000
    private static let kind = "test-finisher"

    package let name: String
    private let handler: SystemEventHandler

    package init(name: String, handler: @escaping SystemEventHandler) {
        self.name = name
        self.handler = handler
    }

    package func read(offset: UInt64, size: Int) -> UInt64 { 0 }

    package func write(offset: UInt64, size: Int, value: UInt64) {
        guard offset == 0, size >= 2 else { return }
        switch UInt16(truncatingIfNeeded: value) {
        case 0x5555: handler(.powerOff)
        case 0x3333: handler(.failure(code: size == 2 ? 0 : UInt16(truncatingIfNeeded: value >> 16)))
        case 0x7777: handler(.reset)
        default: break
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
