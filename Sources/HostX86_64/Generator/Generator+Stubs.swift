internal import Translator

/// Code that is rarely executed and stands after the blocks.
enum Stub {
    case limit(site: Int, address: UInt64, count: Int)
    /// Leaves until the address has code.
    case pending(site: Int, address: UInt64)
    case lookup(site: Int, address: UInt64)
    /// Goes on at a block of another part of the region.
    case otherPart(site: Int, block: Int)
    /// Goes on at a block behind the region's border.
    case border(site: Int, block: Int, address: UInt64)
    /// Goes on where a check of the region's second page has failed.
    case borderFailures(Generator.BorderFailures, address: UInt64)
    /// An access that the code before did not find; `finish` says what becomes of a loaded value.
    case load(site: Int, MemoryType, GuestAddress, finish: LoadFinish, resume: Int, StubContext)
    case store(site: Int, bytes: Int, GuestAddress, value: Operand, resume: Int, StubContext)
    /// Enters the page of the shared accesses from `base` + `range` on, and tries again at `retry`.
    case sharedPage(site: Int, PageSharing.Group, retry: Int, resume: Int, StubContext)
    case prepareFloat(site: Int, resume: Int, StubContext)
    /// Leaves for the interpreter.
    case interpret(site: Int, StubContext)
    case helper(sites: [Int], HelperRecord, resume: Int, StubContext)
    /// Data for a helper: the displacement at `site` leads to it.
    case record(site: Int, HelperRecord)
}

/// Where the slow path of an access finds its guest address.
enum GuestAddress {
    case register(Register)
    /// A register and a displacement, and the recent page at an offset of the state, which was not the one.
    case steady(Register, Int32, recent: Int)
}

/// Where a stub belongs.
struct StubContext {
    let address: UInt64
    /// Instructions of the block from this one on.
    let remaining: Int
    /// Whether it is the block's first instruction.
    let isFirst: Bool
}

/// Where a loaded value goes.
enum LoadFinish {
    case integer(Register)
    case float(Vector)
    /// Into rax, from where the code that follows takes it.
    case accumulator
    case nowhere
}

extension Generator {
    var context: StubContext {
        StubContext(address: step?.address ?? 0, remaining: remaining, isFirst: step?.number == 0)
    }

    mutating func emitStubs() {
        // Stubs add records, which stand last and are the same in all parts.
        var index = 0
        while index < stubs.count {
            beginStub(index)
            emit(stubs[index])
            index += 1
        }
    }

    private mutating func emit(_ stub: Stub) {
        switch stub {
        case .limit(let site, let address, let count):
            assembler.linkHere(site)
            assembler.arithmetic(.add, .register(HostRegisters.budget), Int32(count))
            load(.rax, address: address)
            assembler.jump(to: pieces.exitLimit)
        case .pending(let site, let address):
            // The jump that is linked later is this one, aligned so that it can be patched while it executes.
            assembler.align(to: Assembler.patchSize)
            assembler.linkHere(site)
            let later = assembler.jump()
            assembler.linkHere(later)
            pending.append(PendingLink(site: later, target: address))
            load(.rax, address: address)
            assembler.jump(to: pieces.exitJump)
        case .lookup(let site, let address):
            assembler.linkHere(site)
            emitLookup(of: address)
        case .otherPart(let site, let block):
            assembler.linkHere(site)
            emitMoves(toPartOf: block)
            // All blocks are there by now.
            assembler.jump(to: entries[block] ?? pieces.exitJump)
        case .border(let site, let block, let address):
            assembler.linkHere(site)
            let failures = emitBorderCheck()
            emitMoves(toPartOf: block)
            assembler.jump(to: entries[block] ?? pieces.exitJump)
            emit(failures, of: address)
        case .borderFailures(let failures, let address): emit(failures, of: address)
        case .load(let site, let type, let place, let finish, let resume, let context):
            emitSlowLoad(site, type, place, finish, resume, context)
        case .store(let site, let bytes, let place, let value, let resume, let context):
            emitSlowStore(site, bytes, place, value, resume, context)
        case .sharedPage(let site, let group, let retry, let resume, let context):
            emitSharedPage(site, group, retry: retry, resume: resume, context)
        case .prepareFloat(let site, let resume, let context):
            assembler.linkHere(site)
            assembler.call(shared.prepareFloat)
            assembler.jump(.equal, to: resume)
            emitExit(to: pieces.exitInterpret, context)
        case .interpret(let site, let context):
            assembler.linkHere(site)
            emitExit(to: pieces.exitInterpret, context)
        case .helper(let sites, let record, let resume, let context):
            for site in sites { assembler.linkHere(site) }
            emitCall(record, context)
            assembler.jump(to: resume)
        case .record(let site, let record):
            assembler.align(to: 8)
            assembler.linkHere(site)
            assembler.word64(record.words.0 &- UInt64(helperBase))
            assembler.word64(record.words.1)
            assembler.word64(record.words.2)
        }
    }

    /// A jump by the lookup cache to an address that is known now.
    mutating func emitLookup(of address: UInt64) {
        if isRelative || hasManyMoves {
            load(.rax, address: address)
            return leave(isReturn: false)
        }
        leaveRegion()
        let hash = address ^ address >> UInt64(layout.jumps.hashShift)
        let index = Int(truncatingIfNeeded: hash >> 1) & (layout.jumps.count - 1)
        assembler.move(.rcx, .memory(state(layout.jumps.entries)))
        assembler.move(.rax, value: address)
        followEntry(offset: Int32(index << 5))
    }

    private mutating func emitSlowStore(
        _ site: Int, _ bytes: Int, _ place: GuestAddress, _ value: Operand, _ resume: Int, _ context: StubContext
    ) {
        assembler.linkHere(site)
        let known = emitRenewal(of: place, bytes: bytes, store: true)
        load(.rdx, value)
        assembler.call(pieces.store[bytes.trailingZeroBitCount])
        assembler.jump(.equal, to: resume)
        emitExit(to: pieces.exitFault, context)
        guard let known else { return }
        assembler.linkHere(known)
        load(.rdx, value)
        assembler.store(Address(.rax, index: .rcx), .rdx, bytes: bytes)
        assembler.jump(to: resume)
    }

    private mutating func emitSlowLoad(
        _ site: Int, _ type: MemoryType, _ place: GuestAddress, _ finish: LoadFinish, _ resume: Int,
        _ context: StubContext
    ) {
        assembler.linkHere(site)
        let known = emitRenewal(of: place, bytes: type.bytes, store: false)
        assembler.call(pieces.load[type.index])
        let fault = assembler.jump(.notEqual)
        self.finish(finish, type, .register(.rax))
        assembler.jump(to: resume)
        assembler.linkHere(fault)
        emitExit(to: pieces.exitFault, context)
        guard let known else { return }
        assembler.linkHere(known)
        self.finish(finish, type, .memory(Address(.rax, index: .rcx)))
        assembler.jump(to: resume)
    }

    /// rcx = the guest address of an access. When that is by a steady base, the first level of the TLB is still to be asked: then the
    /// page becomes the recent one, and the result is a jump for the case that it is known, with its addend in rax.
    private mutating func emitRenewal(of place: GuestAddress, bytes: Int, store: Bool) -> Int? {
        switch place {
        case .register(let register):
            assembler.copy(.rcx, register)
            return nil
        case .steady(let register, let displacement, let recent):
            assembler.loadAddress(.rcx, Address(register, displacement))
            assembler.move(.rdx, value: UInt64(bytes))
            assembler.loadAddress(.rax, state(recent))
            assembler.call(store ? shared.renewRecentWrite : shared.renewRecentRead)
            return assembler.jump(.equal)
        }
    }

    /// Brings a loaded value to where it goes.
    private mutating func finish(_ finish: LoadFinish, _ type: MemoryType, _ source: Place) {
        switch finish {
        case .integer(let target): assembler.extend(target, source, bytes: type.bytes, signed: type.signed)
        case .float(let vector):
            switch source {
            case .register(let register): assembler.move(vector, from: register)
            case .memory(let address): assembler.loadFloat(.double, vector, .memory(address))
            }
        case .accumulator: if case .memory = source { assembler.extend(.rax, source, bytes: type.bytes, signed: false) }
        case .nowhere: break
        }
    }

    private mutating func emitSharedPage(
        _ site: Int, _ group: PageSharing.Group, retry: Int, resume: Int, _ context: StubContext
    ) {
        assembler.linkHere(site)
        let register = materialize(.slot(group.base), in: .rcx)
        assembler.loadAddress(.rcx, Address(register, group.range.lowerBound))
        assembler.move(.rdx, value: UInt64(group.range.count))
        assembler.call(group.allowsStores ? shared.secondLevelWrite : shared.secondLevelRead)
        let unknown = assembler.jump(.notEqual)
        assembler.copy(group.register, .rax)
        assembler.jump(to: resume)
        assembler.linkHere(unknown)
        assembler.loadAddress(.rdx, Address(.rcx, Int32(group.range.count - 1)))
        assembler.move(.rax, value: group.allowsStores ? 1 : 0)
        assembler.call(pieces.enterPage)
        assembler.jump(.notEqual, to: retry)
        // The accesses lie in two pages, or one of them faults or is a device's: baseline code does them one by one. It
        // has to begin with the access, so where a region's block does, the interpreter goes first.
        if context.isFirst {
            emitExit(to: pieces.exitInterpret, context)
        } else {
            assembler.arithmetic(.add, .register(HostRegisters.budget), Int32(context.remaining))
            load(.rax, address: context.address)
            assembler.jump(to: pieces.lookup ?? pieces.exitJump)
        }
    }

    private mutating func emit(_ failures: Generator.BorderFailures, of address: UInt64) {
        for site in failures.unknown { assembler.linkHere(site) }
        // The interpreter fetches from the page; a look-up would go on to find its code without.
        load(.rax, address: address)
        assembler.move(.rcx, value: 0)
        assembler.jump(to: pieces.exitInterpret)
        assembler.linkHere(failures.other)
        emitLookup(of: address)
    }

    private mutating func emitExit(to exit: Int, _ context: StubContext) {
        load(.rax, address: context.address)
        assembler.move(.rcx, value: UInt64(context.remaining))
        assembler.jump(to: exit)
    }

    /// Calls a helper for the instruction of `context`.
    mutating func emitCall(_ record: HelperRecord, _ context: StubContext) {
        // The helper sees the count of retired instructions as it is before its own.
        assembler.arithmetic(.add, .register(HostRegisters.budget), Int32(context.remaining))
        stubs.append(.record(site: assembler.loadAddressOfPosition(.rcx), record))
        load(.rax, address: context.address)
        assembler.call(pieces.helper)
        assembler.arithmetic(.sub, .register(HostRegisters.budget), Int32(context.remaining))
    }

    mutating func emitHelper(_ record: HelperRecord) { emitCall(record, context) }

    mutating func emit(_ requirement: StateLayout.Requirement) {
        let failed: HostCondition
        switch requirement {
        case .anyBit(let offset, let mask):
            assembler.move(.rax, .memory(state(offset)), wide: false)
            assembler.arithmetic(.and, .register(.rax), Int32(bitPattern: mask), wide: false)
            failed = .equal
        case .noneSelected(let mask, let words, let pointer, let others):
            assembler.move(.rax, value: 0)
            for offset in words { assembler.arithmetic(.or, .rax, .memory(state(offset))) }
            assembler.move(.rcx, .memory(state(pointer)))
            for offset in others { assembler.arithmetic(.or, .rax, .memory(Address(.rcx, Int32(offset)))) }
            assembler.arithmetic(.and, .rax, .memory(state(mask)))
            failed = .notEqual
        }
        stubs.append(.interpret(site: assembler.jump(failed), context))
    }
}
