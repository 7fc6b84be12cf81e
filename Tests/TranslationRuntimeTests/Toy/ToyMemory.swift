import Synchronization
import TranslationRuntime
import Translator

// How the toy's loads and stores reach memory: through the TLB from generated code, else here, byte by byte where they cross pages.
extension ToyState {
    /// A load or store of `execute`. False when it has not happened.
    mutating func access(_ instruction: ToyInstruction, _ address: UInt64) -> Bool {
        let d = Int(instruction.d)
        switch instruction.operation {
        case .load8, .load16Signed, .load32, .load64:
            let bytes = instruction.operation.accessBytes
            guard let value = load(address, bytes: bytes) else { return false }
            r[d] =
                instruction.operation == .load16Signed
                ? UInt64(bitPattern: Int64(Int16(truncatingIfNeeded: value))) : value
        case .vectorLoad:
            guard let low = load(address, bytes: 8), let high = load(address &+ 8, bytes: 8) else { return false }
            vectors[2 * d] = low
            vectors[2 * d + 1] = high
        case .vectorStore:
            // All or nothing.
            guard canStore(address, bytes: 16) else { return false }
            return store(address, bytes: 8, vectors[2 * d]) && store(address &+ 8, bytes: 8, vectors[2 * d + 1])
        default: return store(address, bytes: instruction.operation.accessBytes, r[d])
        }
        return true
    }

    mutating func load(_ address: UInt64, bytes: Int) -> UInt64? {
        var value: UInt64 = 0
        for index in 0..<bytes {
            guard let place = host(address &+ UInt64(index), isStore: false) else { return nil }
            value |= UInt64(place.load(as: UInt8.self)) << UInt64(8 * index)
        }
        // Several processors share words.
        if bytes == 8, address & 7 == 0, let place = host(address, isStore: false) {
            value = place.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.load(ordering: .relaxed)
        }
        return value
    }

    mutating func store(_ address: UInt64, bytes: Int, _ value: UInt64) -> Bool {
        guard canStore(address, bytes: bytes) else { return false }
        if bytes == 8, address & 7 == 0, let place = host(address, isStore: true) {
            place.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.store(value, ordering: .relaxed)
            codeWatch.noteStore(page(of: place))
            return true
        }
        for index in 0..<bytes {
            guard let place = host(address &+ UInt64(index), isStore: true) else { return false }
            place.storeBytes(of: UInt8(truncatingIfNeeded: value >> UInt64(8 * index)), as: UInt8.self)
            codeWatch.noteStore(page(of: place))
        }
        return true
    }

    mutating func exchangeAdd(_ d: Int, _ s: Int) -> Bool {
        let address = r[s]
        guard address & 7 == 0 else {
            guard let old = load(address, bytes: 8), store(address, bytes: 8, old &+ r[d]) else { return false }
            r[d] = old
            return true
        }
        guard canStore(address, bytes: 8), let place = host(address, isStore: true) else { return false }
        let (old, _) = place.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.wrappingAdd(
            r[d], ordering: .sequentiallyConsistent)
        codeWatch.noteStore(page(of: place))
        r[d] = old
        return true
    }

    /// Whether a store may be made now. If not, there is a fault, or it waits for the run loop.
    private mutating func canStore(_ address: UInt64, bytes: Int) -> Bool {
        for index in [0, bytes - 1] {
            guard let place = host(address &+ UInt64(index), isStore: true) else { return false }
            if !storesThrough, codeWatch.isWatched(page(of: place)) {
                waitingStore = true
                return false
            }
        }
        return true
    }

    private func page(of place: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        memoryBase + ((place - memoryBase) & ~0xFFF)
    }

    /// Where a byte is, whose page the TLB knows from now on; nil leaves a fault.
    private mutating func host(_ address: UInt64, isStore: Bool) -> UnsafeMutableRawPointer? {
        guard let physical = physical(address) else {
            fault = .memory(address)
            return nil
        }
        let page = memoryBase + Int(physical & ~0xFFF)
        let mayWrite = isStore && codeWatch.mayWrite(page, at: address)
        let entry = data.entry(address)
        let isKnown = SoftwareTLB.Entry.covers(entry.pointee.readTag, address, size: 1)
        if !isKnown || mayWrite {
            data.insert(
                address, host: page,
                SoftwareTLB.Page(isReadable: true, isWritable: mayWrite, size: 4096, isGlobal: true))
        }
        return page + Int(physical & 0xFFF)
    }

    /// For accesses of one page together.
    fileprivate mutating func enterPage(_ first: UInt64, last: UInt64, isStore: Bool) -> Bool {
        guard first & ~0xFFF == last & ~0xFFF, physical(first) != nil, host(first, isStore: isStore) != nil else {
            return false
        }
        let entry = data.entry(first)
        return (isStore ? entry.pointee.writeTag : entry.pointee.readTag) == first & ~0xFFF
    }
}

extension ToyOperation {
    var accessBytes: Int {
        switch self {
        case .load8, .store8: 1
        case .load16Signed: 2
        case .load32, .store32: 4
        default: 8
        }
    }
}

extension UnsafeMutableRawPointer {
    var toy: UnsafeMutablePointer<ToyState> { assumingMemoryBound(to: ToyState.self) }
}

// What generated code calls.

let toyLoad: @convention(c) (UnsafeMutableRawPointer, UInt64, UInt64) -> UInt64 = { state, address, bytes in
    let value = state.toy.pointee.load(address, bytes: Int(bytes))
    state.toy.pointee.translation.accessFailed = value == nil ? 1 : 0
    return value ?? 0
}

let toyStore: @convention(c) (UnsafeMutableRawPointer, UInt64, UInt64, UInt64) -> Void = {
    state, address, value, bytes in
    let done = state.toy.pointee.store(address, bytes: Int(bytes), value)
    state.toy.pointee.translation.accessFailed = done ? 0 : 1
}

let toyEnterPage: @convention(c) (UnsafeMutableRawPointer, UInt64, UInt64, UInt64) -> UInt64 = {
    state, first, last, store in
    state.toy.pointee.enterPage(first, last: last, isStore: store != 0) ? 1 : 0
}

/// The helper of instructions that are not lifted. The record's other words are the instruction and its immediate.
let toyHelper: @convention(c) (UnsafeMutableRawPointer, UnsafeRawPointer) -> UnsafeRawPointer? = { state, record in
    let word = record.load(fromByteOffset: 8, as: UInt64.self)
    guard let operation = ToyOperation(rawValue: UInt8(truncatingIfNeeded: word)) else { return nil }
    let instruction = ToyInstruction(
        operation: operation, d: UInt8(truncatingIfNeeded: word >> 8), s: UInt8(truncatingIfNeeded: word >> 16))
    let address = state.toy.pointee.blockAddress
    if state.toy.pointee.execute(instruction, next: 0) == nil {
        state.toy.pointee.pc = address
        return nil
    }
    return record + HelperRecord.size
}
