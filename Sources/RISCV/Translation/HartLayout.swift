internal import Synchronization
internal import TranslationRuntime
internal import Translator

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
        reservation = withUnsafePointer(to: &state.pointee.reservation) { offset($0) }
        withUnsafeMutablePointer(to: &state.pointee.translation) { place($0, from: base) }
        withUnsafeMutablePointer(to: &state.pointee.data) { place($0, from: base) }
        withUnsafeMutablePointer(to: &state.pointee.fetch) { place($0, from: base) }
        // Functions without context are addresses.
        memory.loadHelper = unsafeBitCast(translatedLoad, to: UInt.self)
        memory.storeHelper = unsafeBitCast(translatedStore, to: UInt.self)
        memory.pageHelper = unsafeBitCast(enterSharedPage, to: UInt.self)
        // Generated code looks at mstatus in memory.
        firstMemorySlot = Slot(UInt8(HartState.controlOffset / 8))
        requirements = HartRequirement.allCases.map { $0.condition(on: state) }
        floats.flags = withUnsafePointer(to: &state.pointee.csr.fflags) { offset($0) }
        // fflags: NX, UF, OF, DZ, NV from bit 0.
        floats.flagBits.inexact = 1
        floats.flagBits.underflow = 2
        floats.flagBits.overflow = 4
        floats.flagBits.divisionByZero = 8
        floats.flagBits.invalid = 16
        // The unit is on and dirty already, in a guest for its hypervisor as well, and frm is nearest even.
        floats.conditions = [
            (Slot(\.status).offset, UInt32(Status.fs), UInt32(Status.fs)),
            (withUnsafePointer(to: &state.pointee.csr.frm) { offset($0) }, 0xFF, 0),
            (Slot(\.outerFloat).offset, UInt32(Status.fs), UInt32(Status.fs)),
        ]
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
                words: [withUnsafePointer(to: &state.pointee.localPending) { UnsafeRawPointer($0) - base }],
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
