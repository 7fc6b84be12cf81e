import HostSystem
import Machine
import PlatformDevices
import SavedState
import Synchronization
import TestSupport
import Testing

/// A store in memory whose writes end when a test says so.
private final class HeldStore: FlashStore {
    struct State {
        var contents: [UInt8]
        var pending: (@Sendable (String?) -> Void)?
        var writes: [Range<Int>] = []
        var isClosed = false
    }

    let isReadOnly: Bool
    private let state: Mutex<State>

    init(_ contents: [UInt8], isReadOnly: Bool = false) {
        self.isReadOnly = isReadOnly
        state = Mutex(State(contents: contents))
    }

    var size: UInt64 { UInt64(state.withLock { $0.contents.count }) }
    var contents: [UInt8] { state.withLock { $0.contents } }
    var writes: [Range<Int>] { state.withLock { $0.writes } }
    var isClosed: Bool { state.withLock { $0.isClosed } }

    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(FlashError) {
        state.withLock { buffer.copyBytes(from: $0.contents[Int(offset)..<Int(offset) + buffer.count]) }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, completion: @escaping @Sendable (String?) -> Void) {
        let range = Int(offset)..<Int(offset) + bytes.count
        let copy = Array(bytes)
        state.withLock { state in
            state.writes.append(range)
            state.pending = { [self] error in
                if error == nil { self.state.withLock { $0.contents.replaceSubrange(range, with: copy) } }
                completion(error)
            }
        }
    }

    func cancel() { finish("the request was cancelled") }

    func close() { state.withLock { $0.isClosed = true } }

    /// Ends the write in progress; false when there is none.
    @discardableResult
    func finish(_ error: String? = nil) -> Bool {
        let pending = state.withLock { state in
            defer { state.pending = nil }
            return state.pending
        }
        pending?(error)
        return pending != nil
    }
}

@Suite struct StoredFlashBankTests {
    private static let size = Int(FlashBank.size)
    private static let blockSize: UInt64 = 0x4_0000

    private let store = HeldStore([UInt8](repeating: 0xFF, count: size))
    private let flash: StoredFlashBank
    private let log: LogRecord

    private final class LogRecord: Sendable {
        private let lines = Mutex<[String]>([])
        var texts: [String] { lines.withLock { $0 } }
        var log: Log { Log(level: .info) { message in self.lines.withLock { $0.append(message.text) } } }
    }

    init() throws {
        log = LogRecord()
        flash = try StoredFlashBank(name: "flash1", store: store, log: log.log)
    }

    private func read(_ offset: UInt64) -> UInt64 { flash.read(offset: offset, size: 4) }
    private func write(_ offset: UInt64, _ value: UInt64) { flash.write(offset: offset, size: 4, value: value) }

    private func program(_ offset: UInt64, _ value: UInt64) {
        write(offset, 0x40)
        write(offset, value)
    }

    private func status() -> UInt64 {
        write(0, 0x70)
        return read(0)
    }

    @Test func theStatusIsBusyUntilTheStoreHasTheCells() {
        program(0x1_0000, 0x1234_5678)
        #expect(status() == 0)
        #expect(store.writes == [0x1_0000..<0x1_1000])
        store.finish()
        #expect(status() == 0x0080_0080)
        #expect(Array(store.contents[0x1_0000..<0x1_0005]) == [0x78, 0x56, 0x34, 0x12, 0xFF])
        write(0, 0xFF)
        #expect(read(0x1_0000) == 0x1234_5678)
    }

    @Test func cellsThatAreProgrammedDuringAWriteShareTheNextOne() {
        program(0, 0)
        for offset in stride(from: 4, to: 0x3000 as UInt64, by: 4) { program(offset, offset) }
        #expect(store.writes == [0..<0x1000])
        store.finish()
        #expect(store.writes == [0..<0x1000, 0..<0x3000])
        #expect(status() == 0)
        store.finish()
        #expect(status() == 0x0080_0080)
        #expect(Array(store.contents[0x2FFC..<0x3001]) == [0xFC, 0x2F, 0, 0, 0xFF])
        #expect(!store.finish())
    }

    @Test func anErasedBlockIsOneWriteAndProgrammingThatChangesNoBitIsNone() {
        program(2 * Self.blockSize, 0xFFFF_FFFF)
        #expect(status() == 0x0080_0080)
        #expect(store.writes.isEmpty)
        write(2 * Self.blockSize, 0x20)
        write(2 * Self.blockSize, 0xD0)
        #expect(store.writes == [0x8_0000..<0xC_0000])
    }

    @Test func aStoreThatFailsIsAnErrorOfTheChipAndIsTriedAgainWithTheNextChange() {
        program(0, 1)
        store.finish("disk image f: pwritev: No space left on device")
        #expect(status() == 0x00B0_00B0)
        #expect(log.texts == ["disk image f: pwritev: No space left on device; the guest sees an error of the flash"])
        write(0, 0x50)
        #expect(status() == 0x0080_0080)
        #expect(store.writes.count == 1)
        program(0x5000, 2)
        #expect(store.writes.count == 2)
        store.finish()
        store.finish()
        #expect(status() == 0x0080_0080)
        #expect(store.writes == [0..<0x1000, 0..<0x1000, 0x5000..<0x6000])
        #expect(store.contents[0] == 1 && store.contents[0x5000] == 2)
    }

    @Test func aCancelledWriteIsMadeUpForAfterTheReset() {
        program(0, 1)
        flash.abandon()
        flash.pause()
        flash.reset()
        #expect(read(0) == 1)
        #expect(store.contents[0] == 0xFF)
        flash.resume()
        store.finish()
        #expect(store.contents[0] == 1)
        #expect(status() == 0x0080_0080)
        #expect(log.texts.isEmpty)
        flash.stop()
        #expect(store.isClosed)
    }

    @Test func vCPUsReadTheCellsDirectlyOnlyWhileTheBankIsInItsArrayMode() throws {
        let memory = try #require(flash.deviceMemory)
        #expect(memory.isReadable && memory.size == FlashBank.size && memory.bytes[0] == 0xFF)
        write(0, 0x98)
        #expect(!memory.isReadable)
        write(0, 0xFF)
        #expect(memory.isReadable)
        program(4, 0)
        #expect(!memory.isReadable && memory.bytes[4] == 0)
        flash.reset()
        #expect(memory.isReadable)
    }

    @Test func aReadOnlyBankRefusesChangesAndIsErasedBehindTheEndOfItsFile() throws {
        let store = HeldStore([1, 2, 3] + [UInt8](repeating: 0, count: 9000), isReadOnly: true)
        let flash = try StoredFlashBank(name: "flash0", store: store, log: .silent)
        #expect(flash.read(offset: 0, size: 4) == 0x0003_0201)
        #expect(flash.read(offset: 9002, size: 4) == 0xFFFF_FF00)
        #expect(flash.read(offset: FlashBank.size - 8, size: 8) == .max)
        #expect(flash.deviceMemory?.size == 12288)
        let changes: [(offset: UInt64, first: UInt64, second: UInt64, status: UInt64)] = [
            (0, 0x40, 0, 0x92), (0x4_0000, 0x20, 0xD0, 0xA2),
        ]
        for (offset, first, second, status) in changes {
            flash.write(offset: offset, size: 4, value: first)
            flash.write(offset: offset, size: 4, value: second)
            #expect(flash.read(offset: 0, size: 1) == status)
            flash.write(offset: 0, size: 4, value: 0x50)
        }
        flash.write(offset: 0, size: 4, value: 0x90)
        #expect(flash.read(offset: 8, size: 4) == 0x0001_0001)
        #expect(store.writes.isEmpty)
    }

    @Test func theSavedStateIsTheCommandInterfaceAndKnowsTheContentsAgain() throws {
        program(0, 7)
        store.finish()
        let saved = try flash.save()
        let same = try StoredFlashBank(name: "flash1", store: HeldStore(store.contents), log: .silent)
        try same.restore(saved)
        #expect(same.read(offset: 0, size: 4) == 0x0080_0080)
        #expect(same.deviceMemory?.isReadable == false)
        let other = try StoredFlashBank(
            name: "flash1", store: HeldStore([UInt8](repeating: 0xFF, count: Self.size)), log: .silent)
        let error = SavedStateError.cannotRestore(
            name: "flash1", reason: "the flash file has changed since the machine was saved")
        #expect(throws: error) { try other.restore(saved) }
    }

    @Test func afterRandomAccessesTheStoreHasWhatTheCellsHave() throws {
        var generator = SeededGenerator(seed: 31)
        for round in 0..<40 {
            generator.attack(flash, size: 4 * Self.blockSize, hotspots: [0, 0x100], accesses: 500)
            // The host is slow, and fails now and then.
            if round % 3 != 0 { store.finish(round % 7 == 0 ? "failed" : nil) }
        }
        // A change lets everything be written that was not.
        flash.reset()
        write(0, 0x20)
        write(0, 0xD0)
        while store.finish() {}
        let memory = try #require(flash.deviceMemory)
        #expect(store.contents.elementsEqual(memory.bytes))
        let saved = try flash.save()
        let same = try StoredFlashBank(name: "flash1", store: HeldStore(store.contents), log: .silent)
        try same.restore(saved)
        #expect(try same.save() == saved)
    }

    @Test func aStoreOfAnotherSizeIsRefused() {
        #expect(throws: FlashError.tooLarge(bytes: FlashBank.size + 1)) {
            try StoredFlashBank(
                name: "flash0", store: HeldStore([UInt8](repeating: 0, count: Self.size + 1), isReadOnly: true),
                log: .silent)
        }
        #expect(throws: FlashError.tooSmall(bytes: 512)) {
            try StoredFlashBank(name: "flash0", store: HeldStore([UInt8](repeating: 0, count: 512)), log: .silent)
        }
    }
}
