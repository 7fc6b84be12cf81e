internal import Machine
package import SavedState
internal import Synchronization

/// A bank of NOR flash that answers to CFI (`cfi-flash`, bank width 4): 32 MiB of two 16-bit Intel chips side by side, in
/// erase blocks of 256 KiB.
///
/// The bank starts erased. Programming and erasing are done when the write returns. Its contents live with the machine and its
/// saved states; `StoredFlashBank` keeps them in a file.
package final class FlashBank: MemoryMappedDevice {
    package static let size: UInt64 = 32 << 20

    package let name: String
    private let state: Mutex<FlashState>

    package init(name: String) {
        self.name = name
        state = Mutex(FlashState(commands: FlashCommands(), contents: FlashContents(size: Int(Self.size))))
    }

    package func read(offset: UInt64, size: Int) -> UInt64 {
        guard Self.contains(offset, size) else { return 0 }
        return state.withLock { state in
            var value: UInt64 = 0
            for index in 0..<size {
                let address = Int(offset) + index
                let byte =
                    state.commands.mode == .array
                    ? state.contents.byte(at: address)
                    : UInt8(truncatingIfNeeded: state.commands.word(at: address / 4) >> UInt32(address % 4 * 8))
                value |= UInt64(byte) << UInt64(8 * index)
            }
            return value
        }
    }

    package func write(offset: UInt64, size: Int, value: UInt64) {
        guard Self.contains(offset, size) else { return }
        state.withLock { state in
            // The bank's bus is 32 bits wide: a wider access is two.
            state.commands.write(value, size: min(size, 4), at: Int(offset), &state.contents)
            if size == 8 {
                state.commands.write(value >> 32, size: 4, at: Int(offset) + 4, &state.contents)
            }
        }
    }

    static func contains(_ offset: UInt64, _ size: Int) -> Bool {
        [1, 2, 4, 8].contains(size) && offset <= Self.size - UInt64(size)
    }

    /// The chips return to reading their cells, which stay as they are.
    package func reset() {
        state.withLock { $0.commands = FlashCommands() }
    }

    package func save() throws(SavedStateError) -> SavedRecord {
        state.withLock { $0.saved }
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        let restored = try FlashState(record, size: Int(Self.size))
        state.withLock { $0 = restored }
    }
}
