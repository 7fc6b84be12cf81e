internal import HostSystem
internal import HostX86_64
internal import Translator

/// A generator with its scratch memory: used by one thread at a time.
final class CodeBuilder {
    private(set) var generator: HostGenerator
    /// Where code is generated, before its size is known.
    private let room: UnsafeMutableRawPointer
    private let roomSize: Int
    /// Copies of the guest's page and the next one.
    private let copy = UnsafeMutableRawPointer.allocate(byteCount: 2 * TranslatedPage.size, alignment: 16)

    /// Most blocks that are translated at once, outside of regions.
    static let batchLimit = 8

    /// - Parameter frontEnd: whose blocks are translated.
    init(_ generator: HostGenerator, _ frontEnd: any GuestFrontEnd, isTracing: Bool) {
        // Memory that is not used costs nothing.
        roomSize = Self.largest(frontEnd)
        room = .allocate(byteCount: roomSize, alignment: 64)
        self.generator = generator
        self.generator.isTracing = isTracing
    }

    /// The most bytes that are generated at once.
    private static func largest(_ frontEnd: any GuestFrontEnd) -> Int {
        let (count, statements) = (frontEnd.maximumBlockCount, frontEnd.maximumStatements)
        let batch = batchLimit * HostGenerator.maximumSize(steps: count * statements + 2)
        let region =
            HostGenerator.maximumRegionOverhead
            + HostGenerator.maximumSize(steps: (RegionLifter.sizeLimit + count) * statements)
            + RegionLifter.blockLimit * HostGenerator.maximumSize(steps: 2)
        return max(batch, region)
    }

    deinit {
        room.deallocate()
        copy.deallocate()
    }

    /// Gives memory back that only serves while code is generated.
    func trim() { clearMemory(room, count: roomSize) }

    /// A page's present contents. Its bytes are there until the next call.
    func snapshot(of page: TranslatedPage) -> PageSnapshot { page.snapshot(copy) }

    /// The same with the next page's contents.
    func snapshot(of page: TranslatedPage, next: PageSnapshot.NextPage) -> PageSnapshot {
        var snapshot = page.snapshot(copy)
        (copy + TranslatedPage.size).copyMemory(from: next.page, byteCount: TranslatedPage.size)
        snapshot.next = next
        return snapshot
    }

    func translate(_ blocks: [GuestBlock], at position: Int, resolve: (UInt64) -> LinkTarget) -> TranslatedBatch {
        generator.begin(at: position, in: room)
        return generator.translate(blocks, resolve: resolve)
    }

    func translateRegion(_ blocks: [GuestBlock], border: PageBorder?, at position: Int) -> TranslatedRegion {
        generator.begin(at: position, in: room)
        return generator.translateRegion(blocks, border: border)
    }

    /// The bytes that were generated last.
    func code(from position: Int, to end: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: room, count: end - position)
    }
}
