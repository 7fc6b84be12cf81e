internal import Glibc
package import HostSystem
package import Machine
package import SavedState

/// A flash bank of `FlashBank`'s kind whose contents are kept in a file of the host.
///
/// The guest's changes go to the file in pages, many at a time, while the status register says busy. Once it says ready, the
/// file has the change, also when this process is killed. If the host fails to write, the status register shows an error, and the
/// pages are written again with the next change.
package final class StoredFlashBank: MemoryMappedDevice {
    private static let kind = "cfi-flash-file"

    private struct State {
        var commands = FlashCommands()
        var cells: StoredCells
        /// The store has a write in progress.
        var isWriting = false
        /// The machine is killed or starts again: a cancelled write is nothing to report.
        var isAbandoned = false
    }

    package let name: String
    private let memory: DeviceMemory
    private let store: any FlashStore
    private let log: Log
    private let state: Monitor<State>

    /// A bank with the contents of `store`. It has the size of a bank, or is smaller and read-only; cells behind its end are erased.
    package init(name: String, store: any FlashStore, log: Log) throws(FlashError) {
        guard store.size <= FlashBank.size else { throw .tooLarge(bytes: store.size) }
        guard store.size == FlashBank.size || store.isReadOnly else { throw .tooSmall(bytes: store.size) }
        self.name = name
        self.store = store
        self.log = log
        memory = try Self.load(store)
        state = Monitor(State(cells: StoredCells(memory, isReadOnly: store.isReadOnly)))
    }

    /// The memory of the store's contents, without pages for what is zero.
    private static func load(_ store: any FlashStore) throws(FlashError) -> DeviceMemory {
        let pageSize = 4096
        let memory: DeviceMemory
        do throws(SystemError) {
            memory = try DeviceMemory(size: (Int(store.size) + pageSize - 1) / pageSize * pageSize)
        } catch {
            throw .unreadable(error.description)
        }
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: pageSize)
        defer { chunk.deallocate() }
        for start in stride(from: 0, to: Int(store.size), by: chunk.count) {
            let count = min(chunk.count, Int(store.size) - start)
            chunk.initializeMemory(as: UInt8.self, repeating: FlashContents.erased)
            try store.read(at: UInt64(start), into: UnsafeMutableRawBufferPointer(rebasing: chunk[..<count]))
            for page in stride(from: 0, to: count, by: pageSize) {
                let bytes = UnsafeRawBufferPointer(rebasing: chunk[page..<page + pageSize])
                // A page of zeros equals itself moved by a byte, and begins with one.
                if bytes[0] == 0, memcmp(bytes.baseAddress!, bytes.baseAddress! + 1, pageSize - 1) == 0 { continue }
                UnsafeMutableRawBufferPointer(rebasing: memory.bytes[start + page..<start + page + pageSize])
                    .copyMemory(from: bytes)
            }
        }
        return memory
    }

    package var deviceMemory: DeviceMemory? { memory }

    // MARK: The guest's accesses

    package func read(offset: UInt64, size: Int) -> UInt64 {
        guard FlashBank.contains(offset, size) else { return 0 }
        return state.withLock { state in
            var value: UInt64 = 0
            for index in 0..<size {
                let address = Int(offset) + index
                value |= UInt64(byte(at: address, state)) << UInt64(8 * index)
            }
            return value
        }
    }

    private func byte(at address: Int, _ state: borrowing State) -> UInt8 {
        guard state.commands.mode == .array else {
            let word = state.commands.word(
                at: address / 4, isBusy: state.isWriting, isLocked: state.cells.isReadOnly)
            return UInt8(truncatingIfNeeded: word >> UInt32(address % 4 * 8))
        }
        return address < memory.bytes.count ? memory.bytes[address] : FlashContents.erased
    }

    package func write(offset: UInt64, size: Int, value: UInt64) {
        guard FlashBank.contains(offset, size) else { return }
        let mustWrite = state.withLock { state in
            // The bank's bus is 32 bits wide: a wider access is two.
            state.commands.write(value, size: min(size, 4), at: Int(offset), &state.cells)
            if size == 8 { state.commands.write(value >> 32, size: 4, at: Int(offset) + 4, &state.cells) }
            memory.isReadable = state.commands.mode == .array
            defer { state.cells.isChanged = false }
            return state.cells.isChanged && beginsWriting(&state)
        }
        if mustWrite { writeNext() }
    }

    // MARK: The store

    private func beginsWriting(_ state: inout State) -> Bool {
        guard !state.isWriting, state.cells.isDirty else { return false }
        state.isWriting = true
        state.isAbandoned = false
        return true
    }

    /// Writes the next run of pages, or says that all are written.
    private func writeNext() {
        let run = state.update { state -> Range<Int>? in
            let run = state.isAbandoned ? nil : state.cells.takeRun()
            state.isWriting = run != nil
            return run
        }
        guard let run else { return }
        store.write(UnsafeRawBufferPointer(rebasing: memory.bytes[run]), at: UInt64(run.lowerBound)) { [self] error in
            guard let error else { return writeNext() }
            let isReported = state.update { state in
                state.cells.mark(pagesOf: run)
                state.cells.isChanged = false
                state.isWriting = false
                state.commands.fail()
                return !state.isAbandoned
            }
            guard isReported else { return }
            log.note(.error, name, cause: "notWritten", "\(error); the guest sees an error of the flash")
        }
    }

    // MARK: Lifecycle

    package func abandon() {
        let isWriting = state.withLock { state in
            state.isAbandoned = true
            return state.isWriting
        }
        if isWriting { store.cancel() }
    }

    package func pause() { state.wait { $0.isWriting ? nil : () } }

    /// What a cancelled write left is written now.
    package func resume() {
        let mustWrite = state.withLock { beginsWriting(&$0) }
        if mustWrite { writeNext() }
    }

    package func stop() {
        abandon()
        state.wait { $0.isWriting ? nil : () }
        store.close()
    }

    /// The chips return to reading their cells, which stay as they are.
    package func reset() {
        state.withLock { $0.commands = FlashCommands() }
        memory.isReadable = true
    }

    // MARK: State

    private var checksum: UInt32 { CRC32C.checksum(of: UnsafeRawBufferPointer(memory.bytes)) }

    /// The command interface, and how to know the contents, which stay in the file.
    package func save() throws(SavedStateError) -> SavedRecord {
        var record = SavedRecord(kind: Self.kind, version: 1)
        record.set("checksum", checksum)
        state.withLock { $0.commands }.save(into: &record)
        return record
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: Self.kind, versions: 1...1)
        let commands = try FlashCommands(record, size: Int(FlashBank.size))
        guard try record.integer("checksum", as: UInt32.self) == checksum else {
            throw .cannotRestore(name: name, reason: "the flash file has changed since the machine was saved")
        }
        state.withLock { $0.commands = commands }
        memory.isReadable = commands.mode == .array
    }
}
