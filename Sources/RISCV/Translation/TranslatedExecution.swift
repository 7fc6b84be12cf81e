internal import Synchronization
internal import Translator

// How the interpreter's loop and generated code meet: generated code is one more operation to the loop, and a block of the
// interpreter starts with one that counts.

/// Stands before the first operation of an interpreted block while there is a translator. `immediate` counts runs.
let countingInstruction = Instruction("count", .none, 3, 3) { hart, operation in
    // Blocks are made by this thread and only ever run on it.
    let counter = UnsafeMutableRawPointer(mutating: operation).assumingMemoryBound(to: Operation.self)
    counter.pointee.immediate &+= 1
    if counter.pointee.immediate < hart.state.pointee.translation.threshold { return operation.next }
    return translateBlock(hart, operation)
}

/// Translates the block behind a counter and goes on in its code, or leaves it to the interpreter for good.
@inline(never)
private func translateBlock(_ hart: HartReference, _ operation: OperationReference) -> OperationReference? {
    let state = hart.state
    let counter = UnsafeMutableRawPointer(mutating: operation).assumingMemoryBound(to: Operation.self)
    let block = (operation - MemoryLayout<Block>.stride).assumingMemoryBound(to: Block.self)
    let address = state.pointee.blockAddress
    let source = block.pointee.source - Int(address & 0xFFF)
    // A counter only runs where there is a translator. Another virtual address of the same block may want a translation of
    // its own, soon but not at once.
    counter.pointee.immediate = 0
    let entry: OperationReference
    switch state.pointee.translator?.translate(address, physical: block.pointee.physical, source: source, in: state) {
    case .code(let operation): entry = operation
    case .later: return operation.next
    case .never, nil:
        counter.pointee.immediate = .min
        return operation.next
    }
    state.pointee.fetch.entry(address).pointee = FetchCache.Entry(
        address: address, tag: state.pointee.fetch.tag, operations: entry, code: TranslationEngine.code(of: entry))
    return entry
}

/// Runs generated code until it leaves.
let nativeEntry = Instruction("native", .none, 3, 3, endsBlock: true) { hart, operation in
    let state = hart.state
    // An entry only exists where there is a translator, which sets `enter`.
    let enterCode = state.pointee.translation.enter.unsafelyUnwrapped
    let result = enterCode(hart, TranslationEngine.code(of: operation))
    switch state.pointee.translation.exitReason {
    case ExitReason.jump.rawValue: return enter(hart, at: state.pointee.pc)
    case ExitReason.limit.rawValue:
        state.pointee.translator?.sample(state)
        return poll(hart)
    case ExitReason.regionLimit.rawValue:
        state.pointee.translator?.lookAfterWorker(state.pointee.signals)
        return poll(hart)
    case ExitReason.fault.rawValue:
        state.pointee.take(state.pointee.pendingTrap)
        return enter(hart, at: state.pointee.pc)
    case ExitReason.interpret.rawValue: return enterInterpreted(hart)
    default: return result
    }
}

/// Looks at the clock, and goes on. The block at `pc` is longer than what is left of the budget.
private func poll(_ hart: HartReference) -> OperationReference? {
    let state = hart.state
    state.pointee.pollAt = state.pointee.retired
    return enter(hart, at: state.pointee.pc)
}

extension StateLayout {
    /// The layout of a hart's state.
    init(of state: UnsafeMutablePointer<HartState>) {
        // sp, a0 to a5, s0, s1 and a6: what compilers use most.
        self.init(pinned: [2, 10, 11, 12, 13, 14, 15, 8, 9, 16].map { Slot($0) })
        let base = UnsafeRawPointer(state)
        func offset(_ address: UnsafeRawPointer) -> Int { address - base }
        // Stored properties of a struct in memory are at fixed offsets, which the addresses here tell.
        precondition(
            withUnsafePointer(to: &state.pointee.x) { offset($0) } == 0
                && withUnsafePointer(to: &state.pointee.f) { offset($0) } == 33 * 8
                && withUnsafePointer(to: &state.pointee.csr) { offset($0) } == HartState.controlOffset,
            "slots are the registers at the start of the state")
        retired = withUnsafePointer(to: &state.pointee.retired) { offset($0) }
        retiredLimit = withUnsafePointer(to: &state.pointee.pollAt) { offset($0) }
        programCounter = withUnsafePointer(to: &state.pointee.pc) { offset($0) }
        instructionAddress = withUnsafePointer(to: &state.pointee.blockAddress) { offset($0) }
        codePage = withUnsafePointer(to: &state.pointee.translation.codePage) { offset($0) }
        exitReason = withUnsafePointer(to: &state.pointee.translation.exitReason) { offset($0) }
        accessFailed = withUnsafePointer(to: &state.pointee.translation.accessFailed) { offset($0) }
        reservation = withUnsafePointer(to: &state.pointee.reservation) { offset($0) }
        memory.entries = withUnsafePointer(to: &state.pointee.data.current) { offset($0) }
        memory.count = DataTLB.size
        memory.secondEntries = withUnsafePointer(to: &state.pointee.data.second) { offset($0) }
        memory.secondCount = DataTLB.secondSize
        memory.secondFactor = DataTLB.hashFactor
        memory.recent = withUnsafePointer(to: &state.pointee.data.recent) { offset($0) }
        memory.recentUsed = withUnsafePointer(to: &state.pointee.data.recentUsed) { offset($0) }
        memory.generation = withUnsafePointer(to: &state.pointee.data.generation) { offset($0) }
        // Functions without context are addresses.
        memory.loadHelper = unsafeBitCast(translatedLoad, to: UInt.self)
        memory.storeHelper = unsafeBitCast(translatedStore, to: UInt.self)
        memory.pageHelper = unsafeBitCast(enterSharedPage, to: UInt.self)
        jumps.entries = withUnsafePointer(to: &state.pointee.fetch.current) { offset($0) }
        jumps.count = FetchCache.size
        jumps.hashShift = UInt8(FetchCache.hashShift)
        jumps.tag = withUnsafePointer(to: &state.pointee.fetch.tag) { offset($0) }
        jumps.recordStart = unsafeBitCast(nativeEntry.execute, to: UInt.self)
        // Generated code looks at mstatus in memory.
        firstMemorySlot = Slot(UInt8(HartState.controlOffset / 8))
        requirements = HartRequirement.allCases.map { $0.condition(on: state) }
        floats.ready = withUnsafePointer(to: &state.pointee.translation.floatReady) { offset($0) }
        floats.control = withUnsafePointer(to: &state.pointee.translation.floatControl) { offset($0) }
        floats.flags = withUnsafePointer(to: &state.pointee.csr.fflags) { offset($0) }
        floats.flagTable = (0..<64).map { Self.guestFlags(ofHost: $0) }
        // The unit is on and dirty already, and frm is nearest even.
        floats.conditions = [
            (Slot(\.status).offset, UInt32(Status.fs), UInt32(Status.fs)),
            (withUnsafePointer(to: &state.pointee.csr.frm) { offset($0) }, 0xFF, 0),
        ]
    }

    /// fflags (NX, UF, OF, DZ, NV from bit 0) for the flags of MXCSR (IE, DE, ZE, OE, UE, PE from bit 0).
    private static func guestFlags(ofHost flags: Int) -> UInt8 {
        let invalid = flags & 1 != 0 ? 16 : 0
        let divided = flags & 4 != 0 ? 8 : 0
        let overflow = flags & 8 != 0 ? 4 : 0
        let underflow = flags & 16 != 0 ? 2 : 0
        let inexact = flags & 32 != 0 ? 1 : 0
        return UInt8(invalid | divided | overflow | underflow | inexact)
    }
}

extension HartRequirement {
    fileprivate func condition(on state: UnsafeMutablePointer<HartState>) -> StateLayout.Requirement {
        let base = UnsafeRawPointer(state)
        switch self {
        case .privileged:
            return .anyBit(
                offset: withUnsafePointer(to: &state.pointee.privilege) { UnsafeRawPointer($0) - base }, mask: 3)
        case .noInterrupt:
            let signals = state.pointee.signals
            let others = UnsafeRawPointer(signals)
            return .noneSelected(
                by: Slot(\.mie).offset,
                words: [withUnsafePointer(to: &state.pointee.timerPending) { UnsafeRawPointer($0) - base }],
                pointer: withUnsafePointer(to: &state.pointee.signals) { UnsafeRawPointer($0) - base },
                others: [
                    withUnsafePointer(to: signals.pointee.lines) { UnsafeRawPointer($0) - others },
                    withUnsafePointer(to: signals.pointee.software) { UnsafeRawPointer($0) - others },
                ])
        }
    }
}

// The slow paths that generated code calls: state, address, bytes; and state, address, value, bytes.

private let translatedLoad: @convention(c) (HartReference, UInt64, UInt64) -> UInt64 = { hart, address, bytes in
    let state = hart.state
    let value: UInt64? =
        switch bytes {
        case 1: state.pointee.load(UInt8.self, at: address).map(UInt64.init)
        case 2: state.pointee.load(UInt16.self, at: address).map(UInt64.init)
        case 4: state.pointee.load(UInt32.self, at: address).map(UInt64.init)
        default: state.pointee.load(UInt64.self, at: address)
        }
    state.pointee.finishAccess(failed: value == nil)
    return value ?? 0
}

private let translatedStore: @convention(c) (HartReference, UInt64, UInt64, UInt64) -> Void = {
    hart, address, value, bytes in
    let state = hart.state
    let done =
        switch bytes {
        case 1: state.pointee.store(UInt8(truncatingIfNeeded: value), at: address)
        case 2: state.pointee.store(UInt16(truncatingIfNeeded: value), at: address)
        case 4: state.pointee.store(UInt32(truncatingIfNeeded: value), at: address)
        default: state.pointee.store(value, at: address)
        }
    state.pointee.finishAccess(failed: !done)
}

private let enterSharedPage: @convention(c) (HartReference, UInt64, UInt64, UInt64) -> UInt64 = {
    hart, first, last, store in
    hart.state.pointee.enterDataPage(first, last: last, for: store == 0 ? .load : .store) ? 1 : 0
}

extension HartState {
    fileprivate mutating func finishAccess(failed: Bool) {
        translation.accessFailed = failed ? 1 : 0
        // A device may have raised an interrupt of this very hart: then the budget ends here.
        if signals.pointee.attention.load(ordering: .relaxed) != 0 { pollAt = retired }
    }
}
