/// The pieces of generated code that all blocks share, as positions in the code cache.
package struct Runtime: Sendable {
    /// `(state, code) -> result`: enters generated code at a host address, by the C calling convention.
    package fileprivate(set) var enter = 0
    /// Leaves for the address in rax, for lack of code.
    package fileprivate(set) var exitJump = 0
    /// Leaves at the address in rax: the limit.
    fileprivate(set) var exitLimit = 0
    /// Leaves at the address in rax with a fault; rcx instructions of the block have not retired.
    fileprivate(set) var exitFault = 0
    /// Leaves at the address in rax for the interpreter; rcx instructions of the block have not retired.
    fileprivate(set) var exitInterpret = 0
    /// rax = what the slow path loads at rcx, edx bytes of it. Flags: not equal means a fault.
    fileprivate(set) var loadSlow = 0
    /// Stores rdx at rcx, eax bytes of it. Flags as above.
    fileprivate(set) var storeSlow = 0
    /// Calls the helper with the record at rcx for the instruction at rax; does not return when the helper leaves.
    fileprivate(set) var helper = 0
    /// Makes floating point ready. Flags: not equal means that it is not for generated code.
    fileprivate(set) var prepareFloat = 0
    /// The MXCSR of a clean start, and the table of flags.
    fileprivate var cleanControl = 0
    fileprivate var flagTable = 0
}

extension Generator {
    /// Writes the shared pieces.
    mutating func makeRuntime() {
        assembler.align(to: 64)
        runtime.cleanControl = assembler.position
        // All exceptions masked, round to nearest even, no flags.
        assembler.word32(0x1F80)
        runtime.flagTable = assembler.position
        for flags in layout.floats.flagTable { assembler.byte(flags) }
        makeEntry()
        runtime.exitJump = makeExit(.jump)
        runtime.exitLimit = makeExit(.limit)
        runtime.exitFault = makeExit(.fault, unretired: true)
        runtime.exitInterpret = makeExit(.interpret, unretired: true)
        makeSlowAccesses()
        makeHelperCall()
        makePrepareFloat()
        assembler.align(to: 64)
    }

    private static let saved: [Register] = [.rbp, .rbx, .r12, .r13, .r14, .r15]

    private mutating func makeEntry() {
        runtime.enter = assembler.position
        for register in Self.saved { assembler.push(register) }
        // Seven words with the return address: one more aligns the stack for calls.
        assembler.arithmetic(.sub, .register(.rsp), 8)
        assembler.loadAddress(HostRegisters.state, Address(.rdi, Int32(HostRegisters.stateBias)))
        assembler.copy(.rax, .rsi)
        fill()
        assembler.jump(.register(.rax))
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
        assembler.encode(0xC7, 0, .memory(state(layout.floats.ready)), wide: false)
        assembler.word32(0)
        assembler.arithmetic(.add, .register(.rsp), 8)
        for register in Self.saved.reversed() { assembler.pop(register) }
        assembler.ret()
    }

    /// Writes registers and flags to the state. Uses rdi and the budget's register; rax, rcx and rdx stay.
    private mutating func spill() {
        for (register, slot) in zip(HostRegisters.pinned, layout.pinned) {
            assembler.store(address(of: slot), register, bytes: 8)
        }
        assembler.unary(.negate, .register(HostRegisters.budget))
        assembler.arithmetic(.add, HostRegisters.budget, .memory(state(layout.retiredLimit)))
        assembler.store(state(layout.retired), HostRegisters.budget, bytes: 8)

        assembler.arithmetic(.cmp, .memory(state(layout.floats.ready)), 0, wide: false)
        let notReady = assembler.jump(.equal)
        assembler.storeControl(state(layout.floats.control))
        assembler.push(.rsi)
        assembler.move(.rsi, .memory(state(layout.floats.control)), wide: false)
        assembler.arithmetic(.and, .register(.rsi), 63, wide: false)
        assembler.link(assembler.loadAddressOfPosition(.rdi), to: runtime.flagTable)
        assembler.extend(.rdi, .memory(Address(.rdi, index: .rsi)), bytes: 1, signed: false)
        assembler.encode(
            0x08, Register.rdi.rawValue, .memory(state(layout.floats.flags)), wide: false, byteRegister: true)
        assembler.pop(.rsi)
        assembler.linkHere(notReady)
    }

    /// Loads registers from the state. Uses no other register, and sets flags.
    private mutating func fill() {
        for (register, slot) in zip(HostRegisters.pinned, layout.pinned) {
            assembler.move(register, .memory(address(of: slot)))
        }
        assembler.move(HostRegisters.budget, .memory(state(layout.retiredLimit)))
        assembler.arithmetic(.sub, HostRegisters.budget, .memory(state(layout.retired)))
    }

    /// After a call: the host's flags start anew, for the code that was called may have raised some of its own.
    private mutating func fillAfterCall() {
        fill()
        assembler.arithmetic(.cmp, .memory(state(layout.floats.ready)), 0, wide: false)
        let notReady = assembler.jump(.equal)
        assembler.loadControl(position: runtime.cleanControl)
        assembler.linkHere(notReady)
    }

    private mutating func makeSlowAccesses() {
        runtime.loadSlow = assembler.position
        assembler.arithmetic(.sub, .register(.rsp), 8)
        spill()
        assembler.loadAddress(.rdi, Address(HostRegisters.state, -Int32(HostRegisters.stateBias)))
        assembler.copy(.rsi, .rcx)
        assembler.move(.rax, value: UInt64(layout.memory.loadHelper))
        finishSlowAccess()

        runtime.storeSlow = assembler.position
        assembler.arithmetic(.sub, .register(.rsp), 8)
        spill()
        assembler.loadAddress(.rdi, Address(HostRegisters.state, -Int32(HostRegisters.stateBias)))
        assembler.copy(.rsi, .rcx)
        assembler.copy(.rcx, .rax)
        assembler.move(.rax, value: UInt64(layout.memory.storeHelper))
        finishSlowAccess()
    }

    private mutating func finishSlowAccess() {
        assembler.call(.register(.rax))
        fillAfterCall()
        assembler.arithmetic(.add, .register(.rsp), 8)
        assembler.arithmetic(.cmp, .memory(state(layout.accessFailed)), 0)
        assembler.ret()
    }

    private mutating func makeHelperCall() {
        runtime.helper = assembler.position
        assembler.arithmetic(.sub, .register(.rsp), 24)
        assembler.store(Address(.rsp, 8), .rcx, bytes: 8)
        assembler.store(state(layout.instructionAddress), .rax, bytes: 8)
        spill()
        assembler.loadAddress(.rdi, Address(HostRegisters.state, -Int32(HostRegisters.stateBias)))
        assembler.copy(.rsi, .rcx)
        assembler.call(.memory(Address(.rcx)))
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
        leave(.helper)
    }

    private mutating func makePrepareFloat() {
        runtime.prepareFloat = assembler.position
        var refusals: [Int] = []
        for condition in layout.floats.conditions {
            assembler.move(.rax, .memory(state(condition.offset)), wide: false)
            assembler.arithmetic(.and, .register(.rax), Int32(bitPattern: condition.mask), wide: false)
            assembler.arithmetic(.cmp, .register(.rax), Int32(bitPattern: condition.value), wide: false)
            refusals.append(assembler.jump(.notEqual))
        }
        assembler.loadControl(position: runtime.cleanControl)
        assembler.encode(0xC7, 0, .memory(state(layout.floats.ready)), wide: false)
        assembler.word32(1)
        // Equal: ready.
        assembler.arithmetic(.cmp, .rax, .register(.rax))
        for site in refusals { assembler.linkHere(site) }
        assembler.ret()
    }
}
