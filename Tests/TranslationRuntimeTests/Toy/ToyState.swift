import GuestMemory
import HostSystem
import Synchronization
import TranslationRuntime
import Translator

/// All that a toy processor is while it runs. It lives at a fixed address, where generated code finds it.
struct ToyState: ~Copyable {
    // Slots 0 to 7, 8, 9 to 11, and 12 to 19.
    var r = InlineArray<8, UInt64>(repeating: 0)
    var flags: UInt64 = 0
    var temporaries = InlineArray<3, UInt64>(repeating: 0)
    var vectors = InlineArray<8, UInt64>(repeating: 0)

    var pc: UInt64 = 0
    var blockAddress: UInt64 = 0
    var retired: UInt64 = 0
    var pollAt: UInt64 = 0
    /// Why the processor cannot go on.
    var fault: ToyFault?
    /// A store to watched code waits for the run loop, which makes it.
    var waitingStore = false
    /// The page of memory, by its number, from which code is to be fetched once it is watched.
    var waitingWatch: Int?
    /// Stores reach watched pages.
    var storesThrough = false

    /// Host address of guest address 0, and bytes, for flat addressing.
    var memoryBase: UnsafeMutableRawPointer
    var memorySize: UInt64
    var data = SoftwareTLB(setCount: 1)
    var fetch = JumpCache(setCount: 1)
    var codeWatch: CodeWatch
    var translation = TranslationState()
    let memory: GuestMemory

    /// The same memory is seen once more from this address on.
    static let alias: UInt64 = 1 << 32
    static let flagsSlot = Slot(8)
    static let firstTemporary: UInt8 = 9
    static let firstVector: UInt8 = 12

    /// How far guest-physical memory is from where a processor sees it.
    var shift: UInt64 = 0

    init(_ memory: GuestMemory) {
        self.memory = memory
        memoryBase = memory.hostBase
        memorySize = memory.size
        codeWatch = CodeWatch(memory)
    }

    /// The guest-physical address of a virtual one.
    func physical(_ address: UInt64) -> UInt64? {
        let address = (address >= Self.alias ? address - Self.alias : address) + shift
        return address < memorySize ? address : nil
    }
}

enum ToyFault: Equatable {
    case halted
    case undefined
    case division
    case memory(UInt64)
}

extension StateLayout {
    init(ofToy state: UnsafeMutablePointer<ToyState>, isFlat: Bool) {
        self.init(pinned: (0..<9).map { Slot($0) })
        let base = UnsafeRawPointer(state)
        func offset(_ address: UnsafeRawPointer) -> Int { address - base }
        precondition(
            withUnsafePointer(to: &state.pointee.vectors) { offset($0) } == Int(ToyState.firstVector) * 8,
            "slots are at the start of the state")
        retired = withUnsafePointer(to: &state.pointee.retired) { offset($0) }
        retiredLimit = withUnsafePointer(to: &state.pointee.pollAt) { offset($0) }
        programCounter = withUnsafePointer(to: &state.pointee.pc) { offset($0) }
        instructionAddress = withUnsafePointer(to: &state.pointee.blockAddress) { offset($0) }
        withUnsafeMutablePointer(to: &state.pointee.translation) { place($0, from: base) }
        withUnsafeMutablePointer(to: &state.pointee.data) { place($0, from: base) }
        withUnsafeMutablePointer(to: &state.pointee.fetch) { place($0, from: base) }
        memory.loadHelper = unsafeBitCast(toyLoad, to: UInt.self)
        memory.storeHelper = unsafeBitCast(toyStore, to: UInt.self)
        memory.pageHelper = unsafeBitCast(toyEnterPage, to: UInt.self)
        firstMemorySlot = Slot(ToyState.firstVector)
        if isFlat {
            addressing = .flat(
                base: withUnsafePointer(to: &state.pointee.memoryBase) { offset($0) },
                size: withUnsafePointer(to: &state.pointee.memorySize) { offset($0) })
        }
    }
}
