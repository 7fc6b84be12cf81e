internal import Machine
internal import Synchronization
internal import TranslationRuntime

// The interpreter executes blocks of decoded instructions. Handlers return the next operation; `enter` finds the first
// one of the block at an address, on the hot path with one look into `JumpCache`.

/// Executes from `HartState.pc` until a handler leaves.
func interpret(_ hart: HartReference) {
    var next = enter(hart, at: hart.state.pointee.pc)
    while let operation = next { next = operation.operation.pointee.execute(hart, operation) }
}

/// Leaves the block after `operation` for another address.
@inline(__always)
func leave(
    _ hart: HartReference, _ operation: OperationReference, to address: UInt64
) -> OperationReference? {
    hart.state.pointee.retired &+= UInt64(operation.operation.pointee.index) &+ 1
    return enter(hart, at: address)
}

/// The first operation at a virtual address, or nil with `pc` set when the hart has something else to do first.
@inline(__always)
func enter(_ hart: HartReference, at address: UInt64) -> OperationReference? {
    let state = hart.state
    let entry = state.pointee.fetch.entry(address)
    if entry.pointee.address == address, entry.pointee.tag == state.pointee.fetch.tag,
        state.pointee.retired < state.pointee.pollAt,
        state.pointee.signals.pointee.attention.load(ordering: .relaxed) == 0
    {
        state.pointee.blockAddress = address
        return entry.pointee.operations
    }
    return enterSlow(hart, at: address)
}

@inline(never)
private func enterSlow(_ hart: HartReference, at address: UInt64) -> OperationReference? {
    let state = hart.state
    state.pointee.pc = address
    if state.pointee.signals.pointee.attention.load(ordering: .relaxed) != 0 { return attend(hart) }
    if state.pointee.retired >= state.pointee.pollAt {
        state.pointee.lookAtClock()
        if state.pointee.interruptReady() { return attend(hart) }
    }
    do throws(Trap) {
        let (operations, code) = try state.pointee.fetchBlock(address)
        state.pointee.fetch.entry(address).pointee = JumpCache.Entry(
            address: address, tag: state.pointee.fetch.tag, operations: operations, code: code)
        state.pointee.blockAddress = address
        return operations
    } catch {
        // A trap handler that cannot be fetched traps again: the run loop comes first, so that this can be ended.
        state.pointee.take(error)
        return attend(hart)
    }
}

/// The first operation of the block at `pc` for the interpreter, translated or not.
@inline(never)
func enterInterpreted(_ hart: HartReference) -> OperationReference? {
    let state = hart.state
    do throws(Trap) {
        let address = state.pointee.pc
        let operations = try state.pointee.fetchInterpretedBlock(address).operations
        state.pointee.blockAddress = address
        return operations
    } catch {
        state.pointee.take(error)
        return attend(hart)
    }
}

/// Leaves the loop for the run loop. `pc` is set.
@inline(__always)
func attend(_ hart: HartReference) -> OperationReference? {
    hart.state.pointee.leaving = .attention
    return nil
}

/// Takes `pendingTrap` at `operation`, which does not retire.
@inline(never)
func trapped(_ hart: HartReference, _ operation: OperationReference) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    state.pointee.pc = state.pointee.blockAddress &+ UInt64(operands.pointee.offset)
    state.pointee.retired &+= UInt64(operands.pointee.index)
    state.pointee.take(state.pointee.pendingTrap)
    return enter(hart, at: state.pointee.pc)
}

/// Goes on after `operation`, which may have made an interrupt takeable.
@inline(never)
func continueAfter(_ hart: HartReference, _ operation: OperationReference) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    let next = state.pointee.blockAddress &+ UInt64(operands.pointee.offset) &+ operands.pointee.length
    state.pointee.retired &+= UInt64(operands.pointee.index) &+ 1
    return enterChecked(hart, at: next)
}

/// Goes on at an address unless an interrupt is to be taken first.
@inline(__always)
func enterChecked(_ hart: HartReference, at address: UInt64) -> OperationReference? {
    if hart.state.pointee.interruptReady() {
        hart.state.pointee.pc = address
        return attend(hart)
    }
    return enter(hart, at: address)
}

extension HartState {
    /// The operations at a virtual address, translated or decoded if need be, and what generated code goes on at. Throws
    /// the fetch's fault.
    fileprivate mutating func fetchBlock(
        _ address: UInt64
    ) throws(Trap) -> (operations: OperationReference, code: UInt) {
        guard translation.enter != nil else { return (try fetchInterpretedBlock(address).operations, 0) }
        let page = try fetchPage(address)
        // The code that an idle guest began with would come back into memory.
        if page.isUniform, !translation.isIdle(at: retired),
            let entry = translation.find(address, physical: page.address | address & 0xFFF)
        {
            return (entry, entry.entryCode)
        }
        let block = try fetchInterpretedBlock(address)
        return (block.pointee.physical == .max ? block.operations : block.counter, translation.unknownCode)
    }

    fileprivate mutating func fetchInterpretedBlock(
        _ address: UInt64
    ) throws(Trap) -> UnsafeMutablePointer<Block> {
        if blocks.isFull {
            blocks.removeAll(at: retired)
            flushInstructions()
        }
        let page = try fetchPage(address)
        let physical = page.address | address & 0xFFF
        // A border of PMP inside the page: every instruction is checked on its own (Privileged Architecture 3.7.1).
        guard page.isUniform else { return blocks.makeSingle(bits: try fetchBits(address)) }
        if let block = blocks.find(physical) { return block }
        let available = Int(4096 - address & 0xFFF)
        if let source = codeAddress(of: physical, count: UInt64(available)),
            let block = blocks.make(physical: physical, source: source, available: available)
        {
            return block
        }
        return blocks.makeSingle(bits: try fetchBits(address))
    }

    /// The guest-physical page of an executable halfword, and whether all of the page is as executable.
    private mutating func fetchPage(_ address: UInt64) throws(Trap) -> (address: UInt64, isUniform: Bool) {
        if let page = fetch.page(address) { return (page, true) }
        let context = AccessContext(
            privilege: privilege, userMemory: false, executableReadable: false, isVirtual: isVirtual)
        let translation = try translate(address, count: 2, for: .fetch, in: context)
        if translation.isUniform {
            let page = hostAddress(of: translation.page, count: 4096)
            if let page, codeWatch?.watch(page, &data) ?? false, hasChangedUnwatched(page) { synchronizeInstructions() }
            fetch.insert(
                address, physical: translation.page, size: translation.size, isGlobal: translation.isGlobal)
            if page != nil { return (translation.page, true) }
        }
        codeWatch?.noteUnwatched()
        return (translation.page, translation.isUniform)
    }

    /// Whether code of regions that begin in other pages no longer agrees with a page, to which nobody may have noticed stores.
    private func hasChangedUnwatched(_ page: UnsafeMutableRawPointer) -> Bool {
        guard let engine = translation.engine, let number = codeWatch?.number(page) else { return false }
        return !engine.continuationsAgree(into: number)
    }

    /// The host address of bytes that can be fetched: guest memory, or the memory of a device.
    private func codeAddress(of physical: UInt64, count: UInt64) -> UnsafeRawPointer? {
        hostAddress(of: physical, count: count).map { UnsafeRawPointer($0) }
            ?? addressSpace.fetchable(at: physical, count: count)
    }

    /// Fetches one instruction in halves, from wherever they are. Afterwards the set of fetched pages in use has the pages of both.
    mutating func fetchBits(_ address: UInt64) throws(Trap) -> UInt32 {
        while true {
            let tag = fetch.tag
            let low = try fetchHalf(address)
            guard low & 3 == 3 else { return low }
            let high = try fetchHalf(address &+ 2)
            // A first fetch from a page may empty the set, which then lacks the page of the other half.
            if fetch.tag == tag { return high << 16 | low }
        }
    }

    private mutating func fetchHalf(_ address: UInt64) throws(Trap) -> UInt32 {
        let physical = try fetchPage(address).address | address & 0xFFF
        if let source = codeAddress(of: physical, count: 2) { return UInt32(source.load(as: UInt16.self)) }
        guard let value = addressSpace.readDevice(at: physical, size: 2) else {
            throw Trap(.instructionAccessFault, value: address)
        }
        return UInt32(value)
    }
}
