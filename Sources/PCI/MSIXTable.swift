package import Machine
package import SavedState
internal import Synchronization

/// A function's MSI-X (PCI Local Bus 3.0, section 6.8.2): a table of messages, pending bits, and the capability that enables
/// them.
///
///     table entry, 16 bytes                      registers of `MSIXTable`
///      0  4  address, low                         000      table
///      4  4  address, high                        800      pending bits, 64 in 8 bytes
///      8  4  data
///     12  4  bit 0: masked
package final class MSIXTable: Sendable {
    package static let identifier: UInt8 = 0x11
    package static let registersSize: UInt32 = 4096
    /// The limit keeps the table below the pending bits.
    package static let mostVectors = 128
    private static let pendingOffset: UInt64 = 0x800
    private static let entrySize: UInt64 = 16

    private struct Entry: Equatable {
        // Address low, address high, data, control: masked at power-on.
        var words: [UInt32] = [0, 0, 0, 1]
        var isMasked: Bool { words[3] & 1 != 0 }

        var message: InterruptMessage {
            InterruptMessage(address: UInt64(words[1]) << 32 | UInt64(words[0]), data: words[2])
        }
    }

    private struct State {
        var entries: [Entry]
        var pending: [Bool]
        var isEnabled = false
        var isMasked = false

        init(count: Int) {
            entries = Array(repeating: Entry(), count: count)
            pending = Array(repeating: false, count: count)
        }
    }

    package let count: Int
    private let sink: any MessageSink
    private let state: Mutex<State>

    package init(count: Int, sink: any MessageSink) {
        precondition((1...Self.mostVectors).contains(count), "a table has 1 to 128 entries")
        self.count = count
        self.sink = sink
        state = Mutex(State(count: count))
    }

    /// The capability's bytes after identifier and link: message control, and the offsets of table and pending bits in `bar`.
    package func capability(bar: Int) -> (body: [UInt8], writable: [UInt8]) {
        let table = UInt32(bar)
        let pending = UInt32(Self.pendingOffset) | UInt32(bar)
        let bytes = [UInt32(count - 1), table, pending].map { value in
            (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) }
        }
        // The guest can write bits 15 (enable) and 14 (function mask) of message control.
        return (Array(bytes[0][..<2]) + bytes[1] + bytes[2], [0, 0xC0])
    }

    /// Handles the guest's write to message control.
    package func control(_ value: UInt16) {
        state.withLock { state in
            state.isEnabled = value & 1 << 15 != 0
            state.isMasked = value & 1 << 14 != 0
            deliverPending(&state)
        }
    }

    package var isEnabled: Bool { state.withLock { $0.isEnabled } }

    /// Sends the message of an entry, or sets its pending bit while it is masked. A vector outside of the table, which the guest
    /// may have chosen, is ignored.
    package func signal(_ vector: Int) {
        state.withLock { state in
            guard state.isEnabled, vector < count else { return }
            if state.isMasked || state.entries[vector].isMasked {
                state.pending[vector] = true
            } else {
                sink.send(state.entries[vector].message)
            }
        }
    }

    private func deliverPending(_ state: inout State) {
        guard state.isEnabled, !state.isMasked else { return }
        for index in 0..<count where state.pending[index] && !state.entries[index].isMasked {
            state.pending[index] = false
            sink.send(state.entries[index].message)
        }
    }

    // MARK: Registers

    /// Reads 4 or 8 aligned bytes; other accesses read 0.
    package func read(offset: UInt64, size: Int) -> UInt64 {
        guard size == 4 || size == 8, offset % UInt64(size) == 0 else { return 0 }
        return state.withLock { state in
            let low = UInt64(word(state, offset))
            return size == 8 ? low | UInt64(word(state, offset + 4)) << 32 : low
        }
    }

    private func word(_ state: borrowing State, _ offset: UInt64) -> UInt32 {
        if offset >= Self.pendingOffset {
            let first = Int((offset - Self.pendingOffset) * 8)
            return (0..<32).reduce(0) { first + $1 < count && state.pending[first + $1] ? $0 | 1 << UInt32($1) : $0 }
        }
        let index = Int(offset / Self.entrySize)
        return index < count ? state.entries[index].words[Int(offset % Self.entrySize / 4)] : 0
    }

    package func write(offset: UInt64, size: Int, value: UInt64) {
        guard size == 4 || size == 8, offset % UInt64(size) == 0, offset < Self.pendingOffset else { return }
        let index = Int(offset / Self.entrySize)
        guard index < count else { return }
        let word = Int(offset % Self.entrySize / 4)
        state.withLock { state in
            for part in 0..<size / 4 {
                let bits = UInt32(truncatingIfNeeded: value >> UInt64(32 * part))
                // Only the mask bit of vector control is writable; the address's low two bits are zero.
                state.entries[index].words[word + part] =
                    word + part == 3 ? bits & 1 : word + part == 0 ? bits & ~3 : bits
            }
            deliverPending(&state)
        }
    }

    // MARK: State

    package func reset() { state.withLock { $0 = State(count: count) } }

    package func save() -> SavedRecord {
        let state = state.withLock { $0 }
        var record = SavedRecord(kind: "msi-x", version: 1)
        record.set("entries", state.entries.flatMap { $0.words.map(UInt64.init) })
        record.set("pending", state.pending.map { $0 ? 1 : 0 as UInt64 })
        record.set("isEnabled", state.isEnabled)
        record.set("isMasked", state.isMasked)
        return record
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: "msi-x", versions: 1...1)
        var restored = State(count: count)
        let words = try record.integers("entries", count: 4 * count)
        for (index, word) in words.enumerated() {
            guard let word = UInt32(exactly: word) else { throw .badField(kind: record.kind, field: "entries") }
            restored.entries[index / 4].words[index % 4] = word
        }
        restored.pending = try record.integers("pending", count: count).map { $0 != 0 }
        restored.isEnabled = try record.boolean("isEnabled")
        restored.isMasked = try record.boolean("isMasked")
        state.withLock { $0 = restored }
    }
}
