internal import Machine
package import SavedState
internal import Synchronization

/// Read-only memory with the code that harts execute first.
package final class BootROM: MemoryMappedDevice {
    package static let size: UInt64 = 0xF000
    private static let kind = "boot-rom"

    package let name: String
    private let contents = Mutex<[UInt8]>([])

    package init(name: String) {
        self.name = name
    }

    /// Replaces the contents, at most `size` bytes, before harts start.
    package func setContents(_ bytes: [UInt8]) {
        precondition(bytes.count <= Self.size, "the ROM is too small for its contents")
        contents.withLock { $0 = bytes }
    }

    package func read(offset: UInt64, size: Int) -> UInt64 {
        contents.withLock { contents in
            (0..<size).reduce(0) { value, index in
                let position = Int(offset) + index
                return value | UInt64(position < contents.count ? contents[position] : 0) << UInt64(8 * index)
            }
        }
    }

    package func write(offset: UInt64, size: Int, value: UInt64) {}

    /// The board writes the contents anew.
    package func reset() {}

    package func save() throws(SavedStateError) -> SavedRecord {
        var record = SavedRecord(kind: Self.kind, version: 1)
        record.set("contents", contents.withLock { $0 })
        return record
    }

    package func restore(_ state: SavedRecord) throws(SavedStateError) {
        try state.expect(kind: Self.kind, versions: 1...1)
        let bytes = try state.bytes("contents", limit: Int(Self.size))
        contents.withLock { $0 = bytes }
    }
}
