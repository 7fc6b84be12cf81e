package import HostSystem
package import Machine
internal import Synchronization
package import TranslationRuntime
internal import Translator

/// A RISC-V hart: RV64GC with the extensions of `Extension` that its owner chooses, run by the interpreter.
///
/// All state is in memory of its own, reached by pointer: `state` by the thread that runs the hart (or by its owner while
/// none does), `signals` by anybody.
package final class Hart: VirtualProcessor, TimerTarget, @unchecked Sendable {
    // @unchecked: `state` is only touched by the one thread in `run`, or by the owner while no thread is in `run`;
    // `signals` consists of atomics; everything else never changes after composition.

    package let index: Int
    let state: UnsafeMutablePointer<HartState>
    let signals: UnsafeMutablePointer<HartSignals>
    /// Where the hart sleeps.
    private let bed = Monitor(())
    /// Answers calls from S-mode, in a machine without firmware.
    private var supervisorCalls: (any SupervisorCallHandler)?
    /// Whether the hart runs at all, as SBI's hart state management sees it.
    let life = Monitor(HartLife.started)
    /// What other harts asked for, besides `HartSignals.fencesRequested`.
    private let pendingFences = Mutex(PendingFences())
    private let resetAddress: UInt64

    /// - Parameters:
    ///   - index: the hart ID.
    ///   - resetAddress: guest-physical address of the first instruction after power-on, in M-mode.
    ///   - pagingMode: the one with the widest addresses; satp takes it and those below.
    ///   - extensions: those that the hart has. What others add traps, or reads as zero.
    ///   - hasHypervisor: the hart has the hypervisor extension, with Sha and Smstateen.
    ///   - guestFileCount: the number of interrupt files for guests (GEILEN), 0 to 63; `connect` connects them.
    ///   - isAlone: no other hart uses the same memory.
    package init(
        index: Int, addressSpace: AddressSpace, timeBase: TimeBase, resetAddress: UInt64,
        pagingMode: PagingMode = .sv57, extensions: ExtensionSet = .all, hasHypervisor: Bool = false,
        guestFileCount: Int = 0, isAlone: Bool = false
    ) {
        self.index = index
        self.resetAddress = resetAddress
        signals = .allocate(capacity: 1)
        signals.initialize(to: HartSignals())
        // Its fields have the same places in their pages in each process.
        state = UnsafeMutableRawPointer.allocate(byteCount: MemoryLayout<HartState>.size, alignment: 4096)
            .bindMemory(to: HartState.self, capacity: 1)
        state.initialize(
            to: HartState(
                index: index, addressSpace: addressSpace, timeBase: timeBase, signals: UnsafePointer(signals),
                pagingMode: pagingMode, extensions: extensions, hasHypervisor: hasHypervisor,
                guestFileCount: guestFileCount, isAlone: isAlone))
        reset()
    }

    deinit {
        state.deinitialize(count: 1)
        state.deallocate()
        signals.deinitialize(count: 1)
        signals.deallocate()
    }

    /// Lets `handler` answer ECALLs from S-mode; nil sends them to M-mode. Before the first `run`, or after the last.
    package func setSupervisorCallHandler(_ handler: (any SupervisorCallHandler)?) {
        supervisorCalls = handler
        state.pointee.answersSupervisorCalls = handler != nil
    }

    /// Whether this host's processor is one that the translator generates code for.
    package static var canTranslate: Bool { TranslationHost.canTranslate }

    /// Bytes of generated code that harts may have room for, and have if nothing else is said.
    package static let codeCapacities = TranslationOptions.capacities
    package static let defaultCodeCapacity: UInt64 = 64 << 20

    /// Translates hot code from now on instead of interpreting all of it, for all harts of a machine. Before the first `run`.
    ///
    /// - Parameters:
    ///   - harts: share what is translated; at least one.
    ///   - threshold: times that a block runs in the interpreter first, and more while there is too little room; 1 translates
    ///     all that can be.
    ///   - regionThreshold: samples of a block that make it the start of a region; 0 makes regions of all that is
    ///     translated.
    ///   - alwaysRelative: code does not depend on its virtual address, not only that of pages which were met at two.
    ///   - keepsReplacedCode: code of pages that change is saved as well (`TranslationOptions`).
    ///   - capacity: bytes of generated code, rounded up to whole pages; when they are used up, a sixteenth is made free. From
    ///     4 MiB to 1 GiB.
    ///   - trace: gets to see all that is made.
    ///
    /// Throws when the host's processor is none that code can be generated for, or has no memory for it.
    package static func startTranslating(
        _ harts: [Hart], threshold: Int32 = 24, regionThreshold: Int = 6, alwaysRelative: Bool = false,
        keepsReplacedCode: Bool = false, capacity: UInt64 = defaultCodeCapacity, trace: TranslationTrace? = nil
    ) throws(TranslationError) {
        let options = TranslationOptions(
            regionThreshold: regionThreshold, alwaysRelative: alwaysRelative,
            keepsReplacedCode: keepsReplacedCode, capacity: capacity)
        let state = harts[0].state
        let engine = try TranslationEngine(
            harts, RISCVFrontEnd(state.pointee.extensions), layout: StateLayout(of: state), entryRecord: .nativeEntry,
            memory: state.pointee.addressSpace.memory, options, trace: trace)
        for hart in harts {
            let state = hart.state
            state.pointee.translation.setThreshold(threshold)
            withUnsafePointer(to: hart.signals.pointee.attention) { attention in
                // It is at a fixed address, since it is a stored property of memory.
                engine.connect(&state.pointee.translation, number: hart.index, attention: attention)
            }
            state.pointee.pollInterval = 16384
            state.pointee.blocks.shareWithTranslator()
            // What is decoded already does not count its runs.
            state.pointee.flushTranslations()
        }
    }

    /// Takes over the code that a saved machine's harts had, after `startTranslating` and before the first `run`. It executes.
    ///
    /// - Parameters:
    ///   - file: of `saveCode`; stays the caller's, and must not change.
    ///   - isForBoot: the machine boots the guest that another one had booted.
    /// - Returns: false when the code is not for this program, processor and capacity, or damaged.
    package static func adoptCode(
        from file: borrowing FileDescriptor, isForBoot: Bool = false, _ harts: [Hart]
    ) -> Bool {
        guard harts[0].state.pointee.translation.engine?.adopt(file, isForBoot: isForBoot) == true else { return false }
        for hart in harts {
            hart.state.pointee.translation.lookups.allocateMemory()
            hart.state.pointee.blocks.allocateMemory()
        }
        return true
    }

    /// Writes the code of a machine's harts into an empty file, which stays empty when there is none. Harts may run.
    ///
    /// - Parameter isShared: nobody changes the file afterwards, and `sharedCode` may have it.
    package static func saveCode(
        of harts: [Hart], to file: borrowing FileDescriptor, isShared: Bool
    ) throws(SystemError) {
        _ = try harts[0].state.pointee.translation.engine?.save(to: file, isShared: isShared)
    }

    /// A file of `adoptCode` or `saveCode` that has nearly all of the code; nil when there is none such.
    package static func sharedCode(of harts: [Hart]) throws(SystemError) -> FileDescriptor? {
        guard let engine = harts[0].state.pointee.translation.engine else { return nil }
        return try engine.sharedFile()
    }

    package func reset() {
        state.pointee.resetRegisters()
        state.pointee.pc = resetAddress
        signals.pointee.software.store(0, ordering: .relaxed)
        signals.pointee.machineDeadline.store(.max, ordering: .relaxed)
        life.update { $0 = .started }
    }

    // MARK: Running

    package func run() -> ProcessorExit {
        while true {
            state.pointee.translation.engine?.makeRoomIfFull(for: self)
            signals.pointee.inGuest.store(true, ordering: .sequentiallyConsistent)
            serveRequests()
            if signals.pointee.exitRequested.load(ordering: .relaxed) || !mayExecute() {
                signals.pointee.inGuest.store(false, ordering: .sequentiallyConsistent)
                if signals.pointee.exitRequested.exchange(false, ordering: .relaxed) { return .requested }
                waitToExecute()
                continue
            }
            takePendingInterrupt()
            interpret(HartReference(state))
            signals.pointee.inGuest.store(false, ordering: .sequentiallyConsistent)
            switch state.pointee.leaving {
            case .attention: break
            case .waitForInterrupt: waitForInterrupt()
            case .environmentCall: answerSupervisorCall()
            }
        }
    }

    package func requestExit() {
        signals.pointee.exitRequested.store(true, ordering: .relaxed)
        wake()
    }

    /// Gets the hart's attention: it looks at its signals before it executes much more guest code.
    func wake() {
        signals.pointee.attention.store(1, ordering: .sequentiallyConsistent)
        if signals.pointee.sleeping.load(ordering: .sequentiallyConsistent) { bed.update { _ in } }
    }

    /// Carries out what other harts asked for.
    private func serveRequests() {
        signals.pointee.attention.store(0, ordering: .sequentiallyConsistent)
        state.pointee.forgetRemovedCode()
        let fences = signals.pointee.fencesRequested.load(ordering: .sequentiallyConsistent)
        if fences != signals.pointee.fencesDone.load(ordering: .relaxed) {
            let pending = pendingFences.withLock { pending in
                defer { pending = PendingFences() }
                return pending
            }
            state.pointee.carryOut(pending)
            signals.pointee.fencesDone.store(fences, ordering: .sequentiallyConsistent)
        }
    }

    /// Looks at the clock, and takes an interrupt if one is due.
    private func takePendingInterrupt() {
        state.pointee.lookAtClock()
        if let interrupt = state.pointee.interruptToTake(state.pointee.pendingInterrupts()) {
            state.pointee.takeInterrupt(interrupt)
        }
    }

    /// WFI: sleeps until an enabled interrupt is pending, whether or not it can be taken (Privileged Architecture 3.3.3).
    func waitForInterrupt() {
        while state.pointee.pendingInterrupts() & state.pointee.csr.mie == 0 {
            var deadline: UInt64 = .max
            if state.pointee.csr.mie & Interrupt.mtip != 0 {
                deadline = signals.pointee.machineDeadline.load(ordering: .relaxed)
            }
            if state.pointee.csr.mie & Interrupt.stip != 0, state.pointee.comparesSupervisorTimer {
                deadline = min(deadline, state.pointee.csr.stimecmp)
            }
            if state.pointee.csr.mie & Interrupt.vstip != 0,
                state.pointee.guestEnvironment & Environment.stce != 0
            {
                deadline = min(deadline, state.pointee.guestDeadline)
            }
            if sleep(until: state.pointee.timeBase.hostTime(of: deadline)) { return }
        }
    }

    /// Sleeps until `wake` or the host time; true when somebody wants attention.
    func sleep(until deadline: UInt64?) -> Bool {
        signals.pointee.sleeping.store(true, ordering: .sequentiallyConsistent)
        defer { signals.pointee.sleeping.store(false, ordering: .relaxed) }
        return bed.wait(until: deadline) { [signals] _ in
            signals.pointee.attention.load(ordering: .sequentiallyConsistent) != 0 ? () : nil
        } != nil
    }

    private func answerSupervisorCall() {
        // Without firmware every call has a handler; `answersSupervisorCalls` is set together with it.
        supervisorCalls?.handleSupervisorCall(on: self)
        state.pointee.retired &+= 1
    }

    package func setMachineTimer(_ deadline: UInt64) {
        signals.pointee.machineDeadline.store(deadline, ordering: .relaxed)
        wake()
    }

    // MARK: Fences from other harts

    /// Asks that the hart's next fetches or translations see what this thread's hart has written.
    package func requestFence(_ fence: RemoteFence) -> UInt64 {
        pendingFences.withLock { $0.add(fence) }
        let request = signals.pointee.fencesRequested.add(1, ordering: .sequentiallyConsistent).newValue
        wake()
        return request
    }

    /// Waits until the hart has carried out a fence, or will before it executes its next instruction.
    ///
    /// The calling hart must not be in guest code as far as `inGuest` tells, so that two harts can fence each other.
    package func waitForFence(_ request: UInt64) {
        // Outside of guest code the hart carries the fence out before it executes the next instruction.
        while signals.pointee.inGuest.load(ordering: .sequentiallyConsistent),
            signals.pointee.fencesDone.load(ordering: .sequentiallyConsistent) < request
        {
            yieldProcessor()
        }
    }
}

/// Answers ECALLs from S-mode.
package protocol SupervisorCallHandler: AnyObject, Sendable {
    /// Serves the call in the hart's argument registers, and sets its pc to the next instruction. The calling thread is
    /// the hart's.
    func handleSupervisorCall(on hart: Hart)
}

extension Hart: InterruptSink {
    /// Sets one of the hart's wires: `number` is its bit in mip (1, 3, 9 or 11). SSIP, being edge-triggered, is only ever
    /// set: software clears it. From `guestExternalInterrupts` on they are the lines of guest interrupt files 1 and up, up to 63.
    package func setInterrupt(_ number: Int, level: Bool) {
        if number >= Self.guestExternalInterrupts {
            return setGuestExternal(1 + number - Self.guestExternalInterrupts, level)
        }
        let bit: UInt64 = 1 << UInt64(number)
        if bit == Interrupt.ssip {
            if level { signals.pointee.software.bitwiseOr(bit, ordering: .acquiringAndReleasing) }
        } else if level {
            signals.pointee.lines.bitwiseOr(bit, ordering: .acquiringAndReleasing)
        } else {
            signals.pointee.lines.bitwiseAnd(~bit, ordering: .acquiringAndReleasing)
        }
        if level { wake() }
    }
}
