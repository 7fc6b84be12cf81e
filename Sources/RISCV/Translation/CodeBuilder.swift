internal import Translator

/// What it takes to make code, aside from the code cache where it goes: used by one thread at a time.
final class CodeBuilder {
    private(set) var generator: Generator
    /// Where code is generated, before its size is known.
    private let room = UnsafeMutableRawPointer.allocate(byteCount: largest, alignment: 64)
    /// A copy of the guest's page.
    private let copy = UnsafeMutableRawPointer.allocate(byteCount: TranslatedPage.size, alignment: 16)

    /// Most blocks that are translated at once, outside of regions.
    static let batchLimit = 8
    /// The most bytes that are generated at once.
    private static let largest = max(
        batchLimit * Generator.maximumSize(steps: BlockLifter.maximumCount + 2),
        Generator.maximumRegionOverhead
            + Generator.maximumSize(steps: RegionLifter.sizeLimit + BlockLifter.maximumCount)
            + RegionLifter.blockLimit * Generator.maximumSize(steps: 2))

    init(_ generator: Generator, isTracing: Bool) {
        self.generator = generator
        self.generator.isTracing = isTracing
    }

    deinit {
        room.deallocate()
        copy.deallocate()
    }

    /// What a page is now. Its bytes are there until the next call.
    func snapshot(of page: TranslatedPage) -> PageSnapshot { page.snapshot(copy) }

    func translate(_ blocks: [GuestBlock], at position: Int, resolve: (UInt64) -> LinkTarget) -> TranslatedBatch {
        generator.begin(at: position, in: room)
        return generator.translate(blocks, resolve: resolve)
    }

    func translateRegion(_ blocks: [GuestBlock], at position: Int) -> TranslatedRegion {
        generator.begin(at: position, in: room)
        return generator.translateRegion(blocks)
    }

    /// What was generated last.
    func code(from position: Int, to end: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: room, count: end - position)
    }
}
