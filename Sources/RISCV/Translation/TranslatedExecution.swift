internal import Machine
internal import TranslationRuntime
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
    if state.pointee.translation.isIdle(at: state.pointee.retired) { return operation.next }
    let entry: OperationReference
    // The memory of devices is not watched: its pages are compared.
    let physical = block.pointee.physical
    let isWatched = state.pointee.codeWatch != nil && state.pointee.hostAddress(of: physical, count: 1) != nil
    let memory = isWatched ? state.pointee.addressSpace.memory : nil
    let result = state.pointee.translation.engine?.translate(
        address, physical: physical, source: source, watchedIn: memory, next: nextPage(hart, address),
        in: &state.pointee.translation)
    switch result {
    case .code(let operation): entry = operation
    case .later: return operation.next
    case .never, nil:
        counter.pointee.immediate = .min
        return operation.next
    }
    state.pointee.fetch.entry(address).pointee = JumpCache.Entry(
        address: address, tag: state.pointee.fetch.tag, operations: entry, code: entry.entryCode)
    return entry
}

/// The guest-physical page that follows that of an address in virtual memory, if something was fetched from it of late.
private func nextPage(_ hart: HartReference, _ address: UInt64) -> UInt64? {
    hart.state.pointee.fetch.page(address &+ 4096)
}

/// Runs generated code until it leaves.
let nativeEntry = Instruction("native", .none, 3, 3, endsBlock: true) { hart, operation in
    let state = hart.state
    // An entry only exists where there is a translator, which sets `enter`.
    let enterCode = state.pointee.translation.enter.unsafelyUnwrapped
    let result = enterCode(hart, operation.entryCode)
    switch state.pointee.translation.exitReason {
    case ExitReason.jump.rawValue: return enter(hart, at: state.pointee.pc)
    case ExitReason.limit.rawValue:
        state.pointee.translation.engine?.sample(
            state.pointee.pc, physical: state.pointee.fetch.page(state.pointee.pc),
            next: nextPage(hart, state.pointee.pc), in: &state.pointee.translation)
        return poll(hart)
    case ExitReason.regionLimit.rawValue:
        state.pointee.translation.engine?.lookAfterWorker(in: &state.pointee.translation)
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

extension HelperRecord {
    /// Stands before the host address of generated code, so that an entry of it is an operation for the interpreter's loop.
    static let nativeEntry = HelperRecord(Operation(RISCV.nativeEntry, bits: 3))
}
