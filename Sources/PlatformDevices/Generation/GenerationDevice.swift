package import HostSystem
package import Machine
package import SavedState
internal import Synchronization

/// The virtual machine generation ID (binding `microsoft,vmgenid`; on boards with ACPI a device with the ID `VM_Gen_Counter`, by Microsoft's
/// "Virtual Machine Generation ID"): 128 bits that are new in each copy of a machine.
///
///     offset  size  register, read only
///       0x00    16  the generation ID, bytes in any access of 1, 2, 4 or 8
///
/// The interrupt line rises with a new ID and falls at the guest's next read of it. Linux's driver compares the ID with the one that it knows
/// and reseeds the kernel's random number generator; it writes no register.
///
/// Locks: the interrupt line is set with the device's lock held; no sink calls a device.
package final class GenerationDevice: MemoryMappedDevice {
    package static let size: UInt64 = 0x1000
    private static let kind = "generation"
    private static let length = 16

    package let name: String
    private let line: InterruptLine
    private let state: Mutex<Guarded>

    private struct Guarded {
        var identifier: [UInt8]
        /// The guest has not read the ID since it changed.
        var isUnread = false
    }

    /// - Throws: the host's error when it has no random numbers.
    package init(name: String, line: InterruptLine) throws(SystemError) {
        self.name = name
        self.line = line
        state = Mutex(Guarded(identifier: try randomBytes(count: Self.length)))
    }

    /// The machine is a copy from now on: sets a new random ID and raises the interrupt.
    package func renew() throws(SystemError) {
        let identifier = try randomBytes(count: Self.length)
        state.withLock { state in
            state.identifier = identifier
            state.isUnread = true
            // An input for edges needs one also where the guest has not read the ID before.
            line.set(false)
            line.set(true)
        }
    }

    package func read(offset: UInt64, size: Int) -> UInt64 {
        guard offset < UInt64(Self.length) else { return 0 }
        return state.withLock { state in
            if state.isUnread {
                state.isUnread = false
                line.set(false)
            }
            let bytes = state.identifier[Int(offset)...].prefix(size)
            return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
    }

    package func write(offset: UInt64, size: Int, value: UInt64) {}

    // MARK: Lifecycle

    package func start() throws { resume() }

    package func resume() {
        state.withLock { line.set($0.isUnread) }
    }

    /// A guest that boots again reads the ID, which stays: it is the same machine.
    package func reset() {
        state.withLock { state in
            state.isUnread = false
            line.set(false)
        }
    }

    package func save() throws(SavedStateError) -> SavedRecord {
        state.withLock { state in
            var record = SavedRecord(kind: Self.kind, version: 1)
            record.set("identifier", state.identifier)
            record.set("isUnread", state.isUnread)
            return record
        }
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: Self.kind, versions: 1...1)
        let identifier = try record.bytes("identifier", limit: Self.length)
        guard identifier.count == Self.length else { throw .badField(kind: Self.kind, field: "identifier") }
        let isUnread = try record.boolean("isUnread")
        state.withLock { $0 = Guarded(identifier: identifier, isUnread: isUnread) }
    }
}
