package import Machine
package import SavedState

/// The incoming MSI controllers of all harts at one level (Advanced Interrupt Architecture 1.0, chapter 3): machine level, or supervisor level
/// with its guest interrupt files.
///
/// Each hart has a power of two of pages; an interrupt file takes one of them, and those behind the last file read as zero.
///
///     offset in a page   register, 32 bits, reads as zero
///     0x000              seteipnum_le: makes the identity pending
///     0x004              seteipnum_be: the same, in big-endian order
package final class IMSIC: MemoryMappedDevice {
    package static let page: UInt64 = 4096
    /// The highest identity of an interrupt (`riscv,num-ids`).
    package static let identities = Int(IMSICFileState.mostIdentity)
    private static let kind = "imsic"

    package let name: String
    /// By hart; the first is the level's own, and the others belong to its guests 1 and up.
    private let files: [[IMSICFile]]
    /// Pages of a hart, as a power of two.
    private let shift: UInt64

    /// - Parameters:
    ///   - lines: by hart, where its files' interrupts lead; each hart has as many.
    package init(name: String, lines: [[InterruptLine]]) {
        precondition(!lines.isEmpty && lines.allSatisfy { $0.count == lines[0].count && !$0.isEmpty })
        self.name = name
        files = lines.map { $0.map(IMSICFile.init) }
        shift = Self.guestIndexBits(files: lines[0].count)
    }

    /// The width of the numbers of a hart's files: `riscv,guest-index-bits`.
    package static func guestIndexBits(files count: Int) -> UInt64 {
        UInt64(Int.bitWidth - (count - 1).leadingZeroBitCount)
    }

    /// Bytes of the pages of `harts` harts.
    package static func size(harts: Int, filesOfHart: Int) -> UInt64 {
        UInt64(harts) * page << guestIndexBits(files: filesOfHart)
    }

    /// The interrupt files of a hart: the level's own, then those of guests 1 and up.
    package func files(ofHart hart: Int) -> [any InterruptFile] { files[hart] }

    package func read(offset: UInt64, size: Int) -> UInt64 { 0 }

    package func write(offset: UInt64, size: Int, value: UInt64) {
        guard size == 4 else { return }
        let word = UInt32(truncatingIfNeeded: value)
        switch offset % Self.page {
        case 0: file(at: offset)?.receive(word)
        case 4: file(at: offset)?.receive(word.byteSwapped)
        default: break
        }
    }

    private func file(at offset: UInt64) -> IMSICFile? {
        let page = offset / Self.page
        let (hart, number) = (page >> shift, page & (1 << shift - 1))
        guard hart < UInt64(files.count), number < UInt64(files[Int(hart)].count) else { return nil }
        return files[Int(hart)][Int(number)]
    }

    // MARK: Lifecycle

    package func start() { resume() }

    package func resume() {
        for file in files.joined() { file.resume() }
    }

    package func reset() {
        for file in files.joined() { file.current = IMSICFileState() }
    }

    package func save() throws(SavedStateError) -> SavedRecord {
        let states = files.joined().map(\.current)
        var record = SavedRecord(kind: Self.kind, version: 1)
        record.set("delivers", states.map { $0.delivers ? 1 : 0 as UInt64 })
        record.set("thresholds", states.map(\.threshold))
        record.set("pending", states.flatMap { state in (0..<IMSICFileState.words).map { state.pending[$0] } })
        record.set("enabled", states.flatMap { state in (0..<IMSICFileState.words).map { state.enabled[$0] } })
        return record
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: Self.kind, versions: 1...1)
        let all = Array(files.joined())
        let words = IMSICFileState.words
        let delivers = try record.integers("delivers", count: all.count)
        let thresholds = try record.integers("thresholds", count: all.count)
        let pending = try record.integers("pending", count: all.count * words)
        let enabled = try record.integers("enabled", count: all.count * words)
        var states: [IMSICFileState] = []
        for index in all.indices {
            var state = IMSICFileState()
            guard delivers[index] <= 1 else { throw .badField(kind: Self.kind, field: "delivers") }
            guard thresholds[index] <= UInt64(IMSICFileState.mostIdentity) else {
                throw .badField(kind: Self.kind, field: "thresholds")
            }
            state.delivers = delivers[index] == 1
            state.threshold = thresholds[index]
            for word in 0..<words {
                let (isPending, isEnabled) = (pending[index * words + word], enabled[index * words + word])
                guard (isPending | isEnabled) & ~IMSICFileState.mask(word) == 0 else {
                    throw .badField(kind: Self.kind, field: "pending")
                }
                (state.pending[word], state.enabled[word]) = (isPending, isEnabled)
            }
            states.append(state)
        }
        for (file, state) in zip(all, states) { file.current = state }
    }
}
