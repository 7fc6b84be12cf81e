internal import Glibc
internal import GuestMemory
internal import Translator

/// The translations of one page of guest code, as one virtual page shows it.
///
/// Blocks of a page are linked to each other without any check, so they live and die together: when one of them no longer
/// agrees with guest memory, all are forgotten.
final class TranslatedPage {
    struct Key: Hashable {
        /// Addresses with their low 12 bits clear.
        let virtual: UInt64
        let physical: UInt64
    }

    let key: Key
    /// Where the guest's code lies.
    private let source: UnsafeRawPointer
    /// The `BlockCache.generation` in which source and copy were last seen to agree.
    private var verified: UInt64
    /// Its version in `watch` at that time.
    private var verifiedVersion: UInt32 = 0
    private let watch: (pages: PageWatch, number: Int)?
    /// The page as it was when its blocks were translated; only what they cover counts.
    private let copy: UnsafeMutableRawPointer
    /// How often all blocks were forgotten.
    private(set) var epoch = 0
    private var ranges: [(offset: Int, count: Int)] = []

    /// The entry of each block that has code, by its first instruction's offset.
    private(set) var entries: [Int: OperationReference] = [:]
    /// Jumps that wait for a block, as positions in the code cache.
    private var waiting: [Int: [Int]] = [:]
    /// How often the budget has ended before a block outside of regions.
    private(set) var samples: [Int: Int] = [:]
    /// Blocks that have been made the start of a region, or a part of one.
    private(set) var regional: Set<Int> = []

    static let size = 4096

    /// - Parameter memory: where the page is watched while code is fetched from it, if it is.
    init(key: Key, source: UnsafeRawPointer, generation: UInt64, watchedIn memory: GuestMemory?) {
        self.key = key
        self.source = source
        watch = memory.map { ($0.watch, (source - UnsafeRawPointer($0.hostBase)) >> 12) }
        verified = generation
        copy = .allocate(byteCount: Self.size, alignment: 16)
        copy.copyMemory(from: source, byteCount: Self.size)
    }

    deinit { copy.deallocate() }

    /// Compares with guest memory unless that was done in this generation, and forgets all blocks when it has changed.
    ///
    /// - Returns: the epoch.
    @discardableResult
    func verify(_ generation: UInt64) -> Int {
        if verified != generation {
            let version = watch.map { $0.pages.version(of: $0.number) } ?? 0
            // A page that has been watched all the time is what it was.
            if version & 1 == 0 || version != verifiedVersion { compare() }
            verified = generation
            verifiedVersion = version
        }
        return epoch
    }

    private func compare() {
        guard ranges.contains(where: { memcmp(source + $0.offset, copy + $0.offset, $0.count) != 0 }) else { return }
        epoch += 1
        entries.removeAll()
        waiting.removeAll()
        ranges.removeAll()
        samples.removeAll()
        regional.removeAll()
    }

    /// Takes a private copy of the page to decode from, since the guest may write while we read.
    func startDecoding() -> UnsafeRawPointer {
        compare()
        copy.copyMemory(from: source, byteCount: Self.size)
        // What had been compared may have changed just now; it is then compared with what it was not made from.
        compare()
        return UnsafeRawPointer(copy)
    }

    /// The instruction at an offset of a copy of the page; nil when it does not lie in the page as a whole.
    func instruction(at offset: Int, in bytes: UnsafeRawPointer) -> UInt32? {
        guard offset + 2 <= Self.size else { return nil }
        let low = UInt32(bytes.load(fromByteOffset: offset, as: UInt16.self))
        guard low & 3 == 3 else { return low }
        guard offset + 4 <= Self.size else { return nil }
        return UInt32(bytes.load(fromByteOffset: offset + 2, as: UInt16.self)) << 16 | low
    }

    /// `count` instructions of the page as it was translated, with their guest-virtual addresses.
    func instructions(from address: UInt64, count: Int) -> [(address: UInt64, bits: UInt32)] {
        var result: [(UInt64, UInt32)] = []
        var offset = Int(address & 0xFFF)
        while result.count < count, let bits = instruction(at: offset, in: UnsafeRawPointer(copy)) {
            result.append((key.virtual + UInt64(offset), bits))
            offset += bits & 3 == 3 ? 4 : 2
        }
        return result
    }

    func cover(_ offset: Int, count: Int) { ranges.append((offset, count)) }

    /// Adds a block, and returns the jumps that wait for it.
    func add(_ offset: Int, _ entry: OperationReference) -> [Int] {
        entries[offset] = entry
        return waiting.removeValue(forKey: offset) ?? []
    }

    /// Counts a sample of a block, and returns how many there are.
    func addSample(_ offset: Int) -> Int {
        samples[offset, default: 0] += 1
        return samples[offset] ?? 0
    }

    /// Notes that a block is a part of a region; true for the first one.
    func addToRegion(_ offset: Int) -> Bool { regional.insert(offset).inserted }

    func wait(at site: Int, for offset: Int) { waiting[offset, default: []].append(site) }
}
