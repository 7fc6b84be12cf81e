internal import Translator

/// The pieces of generated code that all code shares, as positions in the code cache.
package struct SharedCode: Sendable {
    /// `(state, code) -> result`: enters baseline code at a host address, by the C calling convention. The block's guest
    /// address is in `StateLayout.instructionAddress`.
    package fileprivate(set) var enter = 0
    /// The pieces for baseline code.
    fileprivate(set) var baseline = Pieces()
    /// Goes on with the record in rax that a helper left a block with. All slots are in memory.
    fileprivate(set) var leaveHelper = 0
    /// Makes floating point ready. Flags: not equal means that it is not for generated code.
    fileprivate(set) var prepareFloat = 0
    /// rax = the addend of the page of the rdx bytes at rcx, from the TLB's second level. Flags: not equal means that it
    /// is not there.
    fileprivate(set) var secondLevelRead = 0
    fileprivate(set) var secondLevelWrite = 0
    /// The same, from the first level; the page becomes the recent one at rax.
    fileprivate(set) var renewRecentRead = 0
    fileprivate(set) var renewRecentWrite = 0
    /// Goes on at the guest address in rax, which the jump cache does not hold, in baseline code.
    fileprivate(set) var lookUpAgain = 0
    fileprivate(set) var constants = Constants()
    fileprivate(set) var pointers = Pointers()

    /// Leaves for the address in rax, for lack of code.
    package var exitJump: Int { baseline.exitJump }

    /// Positions of the addresses that the code uses of this process: of functions, and of nothing else. All other code is the same in
    /// each process that has the same program, processor and layout of the state.
    struct Pointers: Sendable {
        fileprivate(set) var load = 0
        fileprivate(set) var store = 0
        fileprivate(set) var page = 0
        /// What the first word of a `HelperRecord` in code counts from.
        fileprivate(set) var base = 0
        /// The first word of a record that enters generated code.
        fileprivate(set) var recordStart = 0
        /// Where they end.
        fileprivate(set) var end = 0
    }

    /// Positions of data.
    struct Constants: Sendable {
        /// The MXCSR of a clean start.
        fileprivate(set) var cleanControl = 0
        /// The guest's flags for the host's.
        fileprivate(set) var flagTable = 0
        // 16 bytes each, the upper half 0: the box of a single, signs, and everything but the sign.
        fileprivate(set) var box = 0
        fileprivate(set) var sign64 = 0
        fileprivate(set) var sign32 = 0
        fileprivate(set) var magnitude64 = 0
        fileprivate(set) var magnitude32 = 0
    }
}

/// Pieces of generated code that know where the slots are: there is a set for baseline code, and one for each region.
struct Pieces: Sendable {
    /// Leaves at the address in rax: for lack of code, or because of the limit.
    fileprivate(set) var exitJump = 0
    fileprivate(set) var exitLimit = 0
    /// Leaves at the address in rax with a fault; rcx instructions of the block have not retired.
    fileprivate(set) var exitFault = 0
    /// Leaves at the address in rax for the interpreter; rcx instructions of the block have not retired.
    fileprivate(set) var exitInterpret = 0
    /// rax = the value of edx bytes at rcx, by the slow path. Flags: not equal means a fault.
    fileprivate(set) var loadSlow = 0
    /// Stores rdx at rcx, eax bytes of it. Flags as above.
    fileprivate(set) var storeSlow = 0
    /// For each `MemoryType.index`: rax = the value at rcx, extended, from the TLB's second level or the slow path.
    fileprivate(set) var load: [Int] = []
    /// For 1, 2, 4 and 8 bytes: stores rdx at rcx in the same way.
    fileprivate(set) var store: [Int] = []
    /// Enters the page of the addresses rcx to rdx into the TLB, for stores when rax is 1. Flags: equal means that there
    /// is none. In regions only.
    fileprivate(set) var enterPage = 0
    /// Calls the helper with the record at rcx for the instruction at rax; does not return when the helper leaves.
    fileprivate(set) var helper = 0
    /// Goes on at the guest address in rax without its bit 0 in baseline code. In regions only.
    fileprivate(set) var lookup: Int?
    /// The same at the end of a function.
    fileprivate(set) var lookupReturn = 0
    /// Comes from baseline code: moves the slots to where the region has them. In regions only.
    fileprivate(set) var enterRegion = 0
}

extension Generator {
    /// Writes the shared pieces.
    mutating func makeSharedCode() {
        makePointers()
        makeConstants()
        makeEntry()
        makePrepareFloat()
        shared.secondLevelRead = makeSecondLevel(tag: 0)
        shared.secondLevelWrite = makeSecondLevel(tag: 8)
        shared.renewRecentRead = makeRenewRecent(tag: 0)
        shared.renewRecentWrite = makeRenewRecent(tag: 8)
        makeLeaveHelper()
        shared.baseline = makePieces(limit: .limit)
        pieces = shared.baseline
        shared.lookUpAgain = makeSecondLookup()
        assembler.align(to: 64)
    }

    private mutating func makePointers() {
        func pointer(_ address: UInt) -> Int {
            let position = assembler.position
            assembler.word64(UInt64(address))
            return position
        }
        shared.pointers.load = pointer(layout.memory.loadHelper)
        shared.pointers.store = pointer(layout.memory.storeHelper)
        shared.pointers.page = pointer(layout.memory.pageHelper)
        shared.pointers.base = pointer(helperBase)
        shared.pointers.recordStart = pointer(layout.jumps.recordStart)
        shared.pointers.end = assembler.position
    }

    private mutating func makeConstants() {
        func constant(_ low: UInt64) -> Int {
            let position = assembler.position
            assembler.word64(low)
            assembler.word64(0)
            return position
        }
        assembler.align(to: 64)
        shared.constants.box = constant(0xFFFF_FFFF_0000_0000)
        shared.constants.sign64 = constant(1 << 63)
        shared.constants.sign32 = constant(1 << 31)
        shared.constants.magnitude64 = constant(~(1 << 63))
        shared.constants.magnitude32 = constant(~(1 << 31))
        shared.constants.cleanControl = assembler.position
        // All exceptions masked, round to nearest even, no flags.
        assembler.word32(0x1F80)
        shared.constants.flagTable = assembler.position
        for flags in 0..<64 { assembler.byte(layout.floats.flagBits.guestFlags(ofHost: flags)) }
    }

    /// Writes the pieces for the present assignment.
    private mutating func makePieces(limit: ExitReason) -> Pieces {
        var pieces = Pieces()
        pieces.exitJump = makeExit(.jump)
        pieces.exitLimit = makeExit(limit)
        pieces.exitFault = makeExit(.fault, unretired: true)
        pieces.exitInterpret = makeExit(.interpret, unretired: true)
        pieces.loadSlow = makeSlowAccess(shared.pointers.load) { assembler in
            assembler.copy(.rsi, .rcx)
        }
        pieces.storeSlow = makeSlowAccess(shared.pointers.store, arguments: Self.passAddress)
        pieces.load = MemoryType.all.map { makeLoad($0, slow: pieces.loadSlow) }
        pieces.store = [1, 2, 4, 8].map { makeStore(bytes: $0, slow: pieces.storeSlow) }
        pieces.helper = makeHelperCall()
        return pieces
    }

    /// Writes the pieces for a region, and the way in and out.
    mutating func makeRegionPieces() {
        pieces = makePieces(limit: .regionLimit)
        pieces.enterPage = makeEnterPage()
        pieces.lookupReturn = assembler.position
        if layout.codeAlignment == 2 { assembler.arithmetic(.and, .register(.rax), -2) }
        emitReturn { $0.leaveRegion() }
        pieces.lookup = assembler.position
        if layout.codeAlignment == 2 { assembler.arithmetic(.and, .register(.rax), -2) }
        leaveRegion()
        emitLookup()

        pieces.enterRegion = assembler.position
        enterRegion()
        assembler.ret()
    }

    private static let saved: [Register] = [.rbp, .rbx, .r12, .r13, .r14, .r15]

    private mutating func makeEntry() {
        shared.enter = assembler.position
        for register in Self.saved { assembler.push(register) }
        // Seven words with the return address: one more aligns the stack for calls.
        assembler.arithmetic(.sub, .register(.rsp), 8)
        assembler.loadAddress(HostRegisters.state, Address(.rdi, Int32(HostRegisters.stateBias)))
        assembler.copy(.rcx, .rsi)
        fill()
        assembler.move(.rax, .memory(state(layout.instructionAddress)))
        assembler.jump(.register(.rcx))
    }

    private mutating func makeExit(_ reason: ExitReason, unretired: Bool = false) -> Int {
        let start = assembler.position
        if unretired { assembler.arithmetic(.add, HostRegisters.budget, .register(.rcx)) }
        assembler.store(state(layout.programCounter), .rax, bytes: 8)
        spill()
        leave(reason)
        return start
    }

    /// Returns to the caller of `enter`. The state is in memory already; rax is the result.
    private mutating func leave(_ reason: ExitReason) {
        assembler.store(state(layout.exitReason), value: Int32(reason.rawValue))
        forgetFloats()
        assembler.arithmetic(.add, .register(.rsp), 8)
        for register in Self.saved.reversed() { assembler.pop(register) }
        assembler.ret()
    }

    /// The guest's floating-point environment may be another one from here on.
    private mutating func forgetFloats() {
        assembler.encode(0xC7, 0, .memory(state(layout.floats.ready)), wide: false)
        assembler.word32(0)
    }

    /// Writes registers and flags to the state. Uses rdi and the budget's register; rax, rcx and rdx stay.
    private mutating func spill() {
        for (slot, register) in assignment.integers { assembler.store(address(of: slot), register, bytes: 8) }
        for (slot, vector) in assignment.floats { assembler.storeFloat(.double, address(of: slot), vector) }
        assembler.unary(.negate, .register(HostRegisters.budget))
        assembler.arithmetic(.add, HostRegisters.budget, .memory(state(layout.retiredLimit)))
        assembler.store(state(layout.retired), HostRegisters.budget, bytes: 8)

        assembler.arithmetic(.cmp, .memory(state(layout.floats.ready)), 0, wide: false)
        let notReady = assembler.jump(.equal)
        assembler.storeControl(state(layout.floats.control))
        assembler.push(.rsi)
        assembler.move(.rsi, .memory(state(layout.floats.control)), wide: false)
        assembler.arithmetic(.and, .register(.rsi), 63, wide: false)
        assembler.link(assembler.loadAddressOfPosition(.rdi), to: shared.constants.flagTable)
        assembler.extend(.rdi, .memory(Address(.rdi, index: .rsi)), bytes: 1, signed: false)
        assembler.encode(
            0x08, Register.rdi.rawValue, .memory(state(layout.floats.flags)), wide: false, byteRegister: true)
        assembler.pop(.rsi)
        assembler.linkHere(notReady)
    }

    /// Loads registers from the state. Uses no other register, and sets flags.
    private mutating func fill() {
        for (slot, register) in assignment.integers { assembler.move(register, .memory(address(of: slot))) }
        for (slot, vector) in assignment.floats { assembler.loadFloat(.double, vector, .memory(address(of: slot))) }
        assembler.move(HostRegisters.budget, .memory(state(layout.retiredLimit)))
        assembler.arithmetic(.sub, HostRegisters.budget, .memory(state(layout.retired)))
    }

    /// After a call: the host's flags start anew, for the code that was called may have raised some of its own.
    private mutating func fillAfterCall() {
        fill()
        assembler.arithmetic(.cmp, .memory(state(layout.floats.ready)), 0, wide: false)
        let notReady = assembler.jump(.equal)
        assembler.loadControl(position: shared.constants.cleanControl)
        assembler.linkHere(notReady)
    }

    /// A piece that calls the function whose address lies at a position, by the C calling convention, with the state and the arguments
    /// that `arguments` sets from rax, rcx and rdx, and then sets the flags by `test`.
    private mutating func makeCall(
        _ function: Int, arguments: (inout Assembler) -> Void, test: (inout Assembler) -> Void
    ) -> Int {
        let start = assembler.position
        assembler.arithmetic(.sub, .register(.rsp), 8)
        spill()
        assembler.loadAddress(.rdi, Address(HostRegisters.state, -Int32(HostRegisters.stateBias)))
        arguments(&assembler)
        assembler.call(through: function)
        fillAfterCall()
        assembler.arithmetic(.add, .register(.rsp), 8)
        test(&assembler)
        assembler.ret()
        return start
    }

    /// A slow path of loads or stores: the flags tell whether there is a fault.
    private mutating func makeSlowAccess(_ function: Int, arguments: (inout Assembler) -> Void) -> Int {
        let failed = state(layout.accessFailed)
        return makeCall(function, arguments: arguments) { $0.arithmetic(.cmp, .memory(failed), 0) }
    }

    /// The arguments after the state are rcx, rdx and rax.
    private static func passAddress(_ assembler: inout Assembler) {
        assembler.copy(.rsi, .rcx)
        assembler.copy(.rcx, .rax)
    }

    private mutating func makeEnterPage() -> Int {
        makeCall(shared.pointers.page, arguments: Self.passAddress) { $0.test(.rax, .rax) }
    }

    private mutating func makeHelperCall() -> Int {
        let start = assembler.position
        assembler.arithmetic(.sub, .register(.rsp), 24)
        assembler.store(Address(.rsp, 8), .rcx, bytes: 8)
        assembler.store(state(layout.instructionAddress), .rax, bytes: 8)
        spill()
        assembler.loadAddress(.rdi, Address(HostRegisters.state, -Int32(HostRegisters.stateBias)))
        assembler.copy(.rsi, .rcx)
        assembler.move(.rax, .memory(Address(.rcx)))
        assembler.add(.rax, position: shared.pointers.base)
        assembler.call(.register(.rax))
        assembler.move(.rcx, .memory(Address(.rsp, 8)))
        assembler.arithmetic(.add, .register(.rcx), 24)
        assembler.arithmetic(.cmp, .rax, .register(.rcx))
        let leaves = assembler.jump(.notEqual)
        fillAfterCall()
        assembler.arithmetic(.add, .register(.rsp), 24)
        assembler.ret()
        assembler.linkHere(leaves)
        // Our frame and the return address into the block.
        assembler.arithmetic(.add, .register(.rsp), 32)
        assembler.jump(to: shared.leaveHelper)
        return start
    }

    private mutating func makeLeaveHelper() {
        shared.leaveHelper = assembler.position
        assembler.test(.rax, .rax)
        let nothing = assembler.jump(.equal)
        assembler.load(.rcx, position: shared.pointers.recordStart)
        assembler.arithmetic(.cmp, to: .memory(Address(.rax)), .rcx)
        let other = assembler.jump(.notEqual)
        assembler.move(.rcx, .memory(Address(.rax, 24)))
        forgetFloats()
        fill()
        assembler.move(.rax, .memory(state(layout.instructionAddress)))
        assembler.jump(.register(.rcx))
        assembler.linkHere(nothing)
        assembler.linkHere(other)
        leave(.helper)
    }

    private mutating func makePrepareFloat() {
        shared.prepareFloat = assembler.position
        var refusals: [Int] = []
        for condition in layout.floats.conditions {
            assembler.move(.rax, .memory(state(condition.offset)), wide: false)
            assembler.arithmetic(.and, .register(.rax), Int32(bitPattern: condition.mask), wide: false)
            assembler.arithmetic(.cmp, .register(.rax), Int32(bitPattern: condition.value), wide: false)
            refusals.append(assembler.jump(.notEqual))
        }
        assembler.loadControl(position: shared.constants.cleanControl)
        assembler.encode(0xC7, 0, .memory(state(layout.floats.ready)), wide: false)
        assembler.word32(1)
        // Equal: ready.
        assembler.arithmetic(.cmp, .rax, .register(.rax))
        for site in refusals { assembler.linkHere(site) }
        assembler.ret()
    }
}

extension StateLayout.FloatLayout.FlagBits {
    /// The guest's flags for those of MXCSR: IE, DE, ZE, OE, UE, PE from bit 0.
    fileprivate func guestFlags(ofHost flags: Int) -> UInt8 {
        (flags & 1 != 0 ? invalid : 0) | (flags & 4 != 0 ? divisionByZero : 0) | (flags & 8 != 0 ? overflow : 0)
            | (flags & 16 != 0 ? underflow : 0) | (flags & 32 != 0 ? inexact : 0)
    }
}
