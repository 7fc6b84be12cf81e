import GuestMemory
import GuestToolchain
import HostSystem
import Machine
import Translator

@testable import RISCV
@testable import TranslationRuntime

/// A translator's store beside guest memory, without a hart that runs.
final class StoreFixture {
    let memory: GuestMemory
    let hart: Hart
    let store: TranslationStore

    static let pageCount = 512

    /// - Parameter page: the instructions of each page.
    init(_ page: [UInt8], regionThreshold: Int = 6) throws {
        memory = try GuestMemory(ranges: [(base: Toolchain.base, size: UInt64(Self.pageCount) << 12)])
        hart = Hart(
            index: 0, addressSpace: AddressSpace(memory: memory), timeBase: TimeBase(), resetAddress: Toolchain.base)
        store = try TranslationStore(
            RISCVFrontEnd(), layout: StateLayout(of: hart.state), entryRecord: .nativeEntry, memory: memory,
            TranslationOptions(regionThreshold: regionThreshold, alwaysRelative: false, capacity: 4 << 20),
            isAlone: true, trace: nil)
        for number in 0..<Self.pageCount { try memory.write(page, at: address(number)) }
    }

    /// The store as harts and a worker share it. The fixture is used with its lock held only, then.
    func shared() -> Monitor<TranslationStore> {
        nonisolated(unsafe) let store = store
        return Monitor(store)
    }

    func address(_ number: Int) -> UInt64 { Toolchain.base + UInt64(number) << 12 }

    /// A hart asks for a page.
    func page(_ number: Int) -> TranslatedPage {
        store.makePage(
            at: address(number), physical: address(number),
            source: UnsafeRawPointer(memory.hostBase) + number << 12, present: 1, watchedIn: nil)
    }

    /// Makes baseline code, and room for it.
    ///
    /// - Returns: regions that made room.
    func translate(_ number: Int, _ offset: Int) -> [RegionRequest] {
        var lost: [RegionRequest] = []
        while case .noRoom = store.translate(offset, of: page(number), for: 0) {
            store.isRemoving = true
            lost += store.makeRoom()
        }
        return lost
    }

    func request(_ number: Int, _ offset: Int = 0) -> RegionRequest {
        let page = page(number)
        return RegionRequest(page: page, offset: offset, epoch: page.epoch, processor: 0)
    }
}
