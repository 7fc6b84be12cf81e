package import Translator

/// Turns guest blocks into x86-64 code.
///
/// While generated code runs, some slots are in host registers and the others in memory. Between guest instructions the
/// state is exact, so that a fault or a helper needs no side tables. A block takes its number of instructions from the
/// budget at its entry, and gives back what it does not execute.
///
/// There are two tiers. In *baseline* code the same slots are in the same registers everywhere: blocks are linked by plain jumps, and
/// any block can be entered from anywhere. The unit of optimized code is a *region*: a set of blocks with assignments of its own,
/// one for each of its parts; the way in and out of it and from part to part moves the slots whose place differs.
package struct Generator {
    package internal(set) var assembler: Assembler
    package internal(set) var shared = SharedCode()
    let layout: StateLayout
    let features: HostFeatures
    let baseline: Assignment

    /// Where the slots are in the code that is being generated, and the pieces for code of that kind.
    var assignment: Assignment
    var pieces = Pieces()
    /// Of the region that is being translated; none in baseline code.
    var parts = RegionParts()

    // The block and step that are being translated.
    var block: GuestBlock?
    /// Whether the blocks that are being translated are relative, all of them.
    var isRelative = false
    var step: Step?
    var stepIndex = 0
    /// Slots that hold a single in its box, for certain.
    var boxed = SlotSet()
    var sharing = PageSharing()
    /// Of the part of a region that is being translated, if it has one.
    var table: JumpTable?
    var stubs: [Stub] = []
    var entries: [Int?] = []
    /// Where a region's blocks are entered, as far as that stands before them.
    var ways: [Int: RegionEntry] = [:]
    /// The second page of the region that is being translated, and which blocks lie in it.
    var border: PageBorder?
    var isBehindBorder: [Bool] = []
    /// The code of the block before goes on into the one that comes next.
    var fallsThrough = false
    /// Where code tells the return stack the position of a block's gate: the displacement's position and the block.
    var landings: [(site: Int, block: Int)] = []
    /// Where a call at the end of the present block returns to.
    var landing: Landing?
    /// Branches to blocks of this batch that come later: the displacement's position and the block.
    var forward: [(site: Int, block: Int)] = []
    var pending: [PendingLink] = []

    /// Where the code of each step begins, while `isTracing`: for the last `translate` or `translateRegion`.
    package private(set) var marks: [CodeMark] = []
    package var isTracing = false

    /// - Parameters:
    ///   - code: where code is written; the shared pieces are written at once.
    package init(code: UnsafeMutableRawPointer, layout: StateLayout, features: HostFeatures) {
        assembler = Assembler(base: code)
        self.layout = layout
        self.features = features
        var baseline = Assignment()
        for (register, slot) in zip(HostRegisters.pinned, layout.pinned) { baseline.assign(slot, register) }
        self.baseline = baseline
        assignment = baseline
        makeSharedCode()
        firstBlock = assembler.position
    }

    /// Where the code of blocks begins.
    package private(set) var firstBlock = 0

    /// A function of the program, from which the addresses of others are counted.
    var helperBase: UInt { layout.memory.loadHelper }

    /// Sets the position of the next code. The code is written to `room` from its start on; the caller copies it.
    package mutating func begin(at position: Int, in room: UnsafeMutableRawPointer) {
        assembler = Assembler(base: room - position, position: position)
    }

    /// The most bytes that a block of `count` steps can take, its gates and its share of a region's own pieces included.
    package static func maximumSize(steps count: Int) -> Int { 768 + count * 400 }
    /// The most bytes that a region takes beside its blocks: pieces, tables, and the ways between its parts.
    package static let maximumRegionOverhead = RegionPlan.partLimit * (8192 + Int(JumpTable.limit) * 8)

    // MARK: Operands

    func register(of slot: Slot) -> Register? { assignment.register(of: slot) }

    func address(of slot: Slot) -> Address { state(slot.offset) }

    /// Where an integer is.
    func place(_ slot: Slot) -> Place { register(of: slot).map(Place.register) ?? .memory(address(of: slot)) }

    /// Where a floating-point number is.
    func vectorPlace(_ slot: Slot) -> VectorPlace {
        assignment.vector(of: slot).map(VectorPlace.vector) ?? .memory(address(of: slot))
    }

    /// A field of the state.
    func state(_ offset: Int) -> Address { Address(HostRegisters.state, Int32(offset - HostRegisters.stateBias)) }

    /// Puts an operand's value into `register`.
    mutating func load(_ register: Register, _ operand: Operand) {
        switch operand {
        case .constant(let value): assembler.move(register, value: value)
        case .address(let value):
            assembler.move(register, value: value)
            assembler.arithmetic(.add, register, .memory(state(layout.codePage)))
        case .slot(let slot):
            if let vector = assignment.vector(of: slot) {
                assembler.move(.register(register), from: vector)
            } else if self.register(of: slot) != register {
                assembler.move(register, place(slot))
            }
        }
    }

    /// Puts a guest address, in the terms of the block's, into `register`. May change the flags.
    mutating func load(_ register: Register, address: UInt64) {
        load(register, .code(address, isRelative: isRelative))
    }

    /// The operand's register, or `scratch` after loading it there.
    mutating func materialize(_ operand: Operand, in scratch: Register) -> Register {
        if case .slot(let slot) = operand, let register = register(of: slot) { return register }
        load(scratch, operand)
        return scratch
    }

    /// The operand where an instruction can read it; constants go through `scratch`.
    mutating func readable(_ operand: Operand, scratch: Register) -> Place {
        if case .slot(let slot) = operand, assignment.vector(of: slot) == nil { return place(slot) }
        load(scratch, operand)
        return .register(scratch)
    }

    /// Where to compute a slot's new value: its own register, or rax.
    func target(_ slot: Slot) -> Register { register(of: slot) ?? .rax }

    /// Brings a value that was computed in `register` to its slot.
    mutating func write(_ slot: Slot, from register: Register) {
        if let vector = assignment.vector(of: slot) { return assembler.move(vector, from: register) }
        switch place(slot) {
        case .register(let own): assembler.copy(own, register)
        case .memory(let address): assembler.store(address, register, bytes: 8)
        }
    }

    // MARK: Blocks

    /// Translates blocks that may jump to each other.
    ///
    /// - Parameter resolve: the target of a jump to a guest address; called once for each jump out of a block.
    package mutating func translate(_ blocks: [GuestBlock], resolve: (UInt64) -> LinkTarget) -> TranslatedBatch {
        assignment = baseline
        pieces = shared.baseline
        sharing.registerCount = 0
        table = nil
        parts = RegionParts()
        border = nil
        emit(blocks, resolve: resolve)
        let starts = entries.compactMap { $0 }
        var gates = starts
        if isRelative {
            for (index, start) in starts.enumerated() {
                gates[index] = emitPageEntry()
                assembler.jump(to: start)
            }
        }
        for landing in landings { assembler.link(landing.site, to: gates[landing.block]) }
        return TranslatedBatch(entries: starts, gates: gates, pending: pending, end: assembler.position)
    }

    /// Begins a gate of relative code: rax is the guest address that is entered.
    mutating func emitPageEntry() -> Int {
        let start = assembler.position
        assembler.arithmetic(.and, .register(.rax), -4096)
        assembler.store(state(layout.codePage), .rax, bytes: 8)
        return start
    }

    mutating func emit(_ blocks: [GuestBlock], resolve: (UInt64) -> LinkTarget) {
        isRelative = blocks.first?.isRelative ?? false
        entries = Array(repeating: nil, count: blocks.count)
        forward.removeAll(keepingCapacity: true)
        pending.removeAll(keepingCapacity: true)
        stubs.removeAll(keepingCapacity: true)
        landings.removeAll(keepingCapacity: true)
        ways.removeAll(keepingCapacity: true)
        fallsThrough = false
        isBehindBorder = blocks.map(\.isBehindBorder)
        marks.removeAll(keepingCapacity: true)
        for (index, block) in blocks.enumerated() {
            self.block = block
            beginBlock(index)
            boxed.removeAll()
            sharing.removeAll()
            mark(index, nil)
            if pieces.lookup != nil, !fallsThrough, !block.isBehindBorder { ways[index] = emitEntry() }
            if pieces.lookup == nil {
                assembler.keepTogether(Self.patchableEntrySize, alignment: Assembler.patchSize)
            } else {
                assembler.keepTogether(10)
            }
            for link in forward where link.block == index { assembler.linkHere(link.site) }
            entries[index] = assembler.position
            takeBudget(block)
            for (number, step) in block.steps.enumerated() {
                self.step = step
                stepIndex = number
                mark(index, number)
                emit(step.statement)
                noteEffects(of: step.statement)
            }
            mark(index, block.steps.count)
            emit(block, following: index + 1 < blocks.count ? index + 1 : nil, resolve: resolve)
        }
        mark(blocks.count, nil)
        emitStubs()
    }

    private mutating func mark(_ block: Int, _ step: Int?) {
        guard isTracing else { return }
        let part = parts.all.count > 1 ? parts.present : nil
        marks.append(CodeMark(block: block, step: step, part: part, position: assembler.position))
    }

    /// Updates the knowledge about slots after a statement.
    private mutating func noteEffects(of statement: Statement) {
        sharing.noteEffects(of: statement)
        switch statement {
        case .helper: boxed.removeAll()
        case .loadSingle, .box, .float: break
        default: if let slot = statement.destination { boxed.remove(slot) }
        }
    }

    /// Bytes of a subtraction from the budget with its jump in baseline code.
    private static let patchableEntrySize = 13

    mutating func takeBudget(_ block: GuestBlock) {
        if pieces.lookup == nil {
            // One instruction that has room for the jump by which `CodeCache.redirect` replaces it.
            assembler.subtractLong(HostRegisters.budget, Int32(block.count))
        } else {
            assembler.arithmetic(.sub, .register(HostRegisters.budget), Int32(block.count))
        }
        stubs.append(.limit(site: assembler.jump(.less), address: block.address, count: block.count))
    }

    private mutating func emit(_ statement: Statement) {
        switch statement {
        case .binary(let operation, let width, let slot, let a, let b): emit(operation, width, slot, a, b)
        case .unary(let operation, let width, let slot, let a): emit(operation, width, slot, a)
        case .set(let condition, let slot, let a, let b): emitSet(condition, slot, a, b)
        case .load(let type, let slot, let base, let displacement): emitLoad(type, slot, base, displacement)
        case .store(let type, let base, let value, let displacement): emitStore(type, base, value, displacement)
        case .atomic(let operation, let wide, let slot, let base, let value, let record):
            emit(operation, wide: wide, slot, base, value, record)
        case .barrier: assembler.barrier()
        case .helper(let record): emitHelper(record)
        case .requireFloat: emitRequireFloat()
        case .require(let number): emit(layout.requirements[number])
        case .float(let format, let operation, let record): emit(format, operation, record)
        case .loadSingle(let slot, let base, let displacement): emitLoadSingle(slot, base, displacement)
        case .box(let slot, let a):
            assembler.move(.xmm0, from: materialize(a, in: .rax))
            write(.single, slot)
        case .flags(let operation, let width, let slot, let a, let b): emitFlags(operation, width, slot, a, b)
        case .setFlag(let condition, let slot, let a): emitSet(condition, slot, a)
        case .insert(let bytes, let slot, let a): emitInsert(bytes: bytes, slot, a)
        case .expect(let condition, let a, let b): emitExpect(condition, a, b)
        case .vectorLoad(let slot, let base, let displacement): emitVectorLoad(slot, base, displacement)
        case .vectorStore(let slot, let base, let displacement): emitVectorStore(slot, base, displacement)
        case .vector(let operation, let slot, let a, let b): emit(operation, slot, a, b)
        }
    }

    /// Instructions of the block from the present one on.
    var remaining: Int { (block?.count ?? 0) - (step?.number ?? 0) }

    // MARK: Ends of blocks

    private mutating func emit(_ block: GuestBlock, following: Int?, resolve: (UInt64) -> LinkTarget) {
        landing = landing(of: block, resolve)
        fallsThrough = false
        switch block.terminator {
        case .jump(let target): emitJump(target, following: following, resolve: resolve)
        case .branch(let condition, let a, let b, let taken, let next):
            assembler.keepTogether(14)
            let condition = compare(condition, a, b)
            link(assembler.jump(condition), target: taken, resolve: resolve)
            emitJump(next, following: following, resolve: resolve)
        case .branchFlag(let condition, let a, let taken, let next):
            let condition = test(condition, a)
            link(assembler.jump(condition), target: taken, resolve: resolve)
            emitJump(next, following: following, resolve: resolve)
        case .indirect(let base, let displacement, let slot, let returnAddress):
            load(.rax, base)
            if displacement != 0 { assembler.arithmetic(.add, .register(.rax), displacement) }
            let usesTable = block.jumpsAnywhere && table != nil && block.likelyTargets.isEmpty
            // The table's look-up drops bit 0 by itself.
            if !usesTable, layout.codeAlignment == 2 { assembler.arithmetic(.and, .register(.rax), -2) }
            if let slot {
                let register = register(of: slot) ?? .rcx
                load(register, address: returnAddress)
                write(slot, from: register)
            }
            emitLikelyJumps(block.likelyTargets, resolve: resolve)
            emitJumpToAnywhere(block)
        }
    }

    /// Goes on at the guest address in rax at the end of a block.
    private mutating func emitJumpToAnywhere(_ block: GuestBlock) {
        if block.jumpsAnywhere, let table {
            emitJump(through: table, isReturn: block.isReturn)
        } else {
            if !block.isReturn { noteReturn(landing) }
            leave(isReturn: block.isReturn)
        }
    }

    /// Jumps to blocks of a region if rax is the address of one of them.
    private mutating func emitLikelyJumps(_ targets: [UInt64], resolve: (UInt64) -> LinkTarget) {
        if isRelative, !targets.isEmpty {
            assembler.copy(.rcx, .rax)
            assembler.arithmetic(.sub, .rcx, .memory(state(layout.codePage)))
        }
        for target in targets {
            guard case .block(let index) = resolve(target), !crossesBorder(to: index) else { continue }
            if isRelative {
                // A block of the same page.
                assembler.arithmetic(.cmp, .register(.rcx), Int32(target))
            } else {
                assembler.move(.rcx, value: target)
                assembler.arithmetic(.cmp, .rax, .register(.rcx))
            }
            link(assembler.jump(.equal), target: target, resolve: resolve)
        }
    }

    private mutating func emitJump(_ target: UInt64, following: Int?, resolve: (UInt64) -> LinkTarget) {
        if case .block(let index) = resolve(target) {
            if crossesBorder(to: index) { stubs.append(.borderFailures(emitBorderCheck(), address: target)) }
            emitMoves(toPartOf: index)
            fallsThrough = index == following
            if !fallsThrough { link(assembler.jump(), block: index) }
        } else if case .lookup = resolve(target) {
            noteReturn(landing)
            emitLookup(of: target)
        } else {
            link(assembler.jump(), target: target, resolve: resolve)
        }
    }

    private mutating func link(_ site: Int, target: UInt64, resolve: (UInt64) -> LinkTarget) {
        switch resolve(target) {
        case .block(let index):
            if crossesBorder(to: index) {
                stubs.append(.border(site: site, block: index, address: target))
            } else if parts.isOther(index) {
                stubs.append(.otherPart(site: site, block: index))
            } else {
                link(site, block: index)
            }
        case .pending: stubs.append(.pending(site: site, address: target))
        case .lookup: stubs.append(.lookup(site: site, address: target))
        }
    }

    private mutating func link(_ site: Int, block index: Int) {
        if let entry = entries[index] {
            assembler.link(site, to: entry)
        } else {
            forward.append((site, index))
        }
    }
}
