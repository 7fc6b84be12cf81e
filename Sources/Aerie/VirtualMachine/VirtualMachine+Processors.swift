internal import HostSystem
internal import Machine

/// A limit of processor time that the machine keeps by itself, for hosts on which no control group does: a thread looks at the processor
/// time of this process, and keeps the vCPUs outside of guest code when it is spent.
extension VirtualMachine {
    /// Limits the processor time of the machine, which is its process's only one: the time of all threads of the process counts.
    ///
    /// - Parameter percent: of one processor, from 1 on; nil for no limit.
    /// - Throws: `usage` for another number, and after the machine's end.
    package func setProcessorLimit(percent: Int?) throws(AerieError) {
        let asked = "a limit of processor time"
        if let percent, !(1...102_400).contains(percent) {
            throw AerieError(
                .usage, asked: asked, found: "\(percent) is not a percentage from 1 to 102400",
                advice: "choose one in this range")
        }
        try exclusively { () throws(AerieError) in
            let found = state.update { state in
                if !state.lifecycle.isOver { state.processorLimit = percent }
                return state.lifecycle
            }
            if found.isOver {
                throw AerieError(
                    .usage, asked: asked, found: "the machine is \(found.name)",
                    advice: "it has to be running or paused")
            }
        }
    }

    /// Sets the duty cycle of the vCPUs, the percentage of the time in which they run, to slow a guest down for its migration. It counts in
    /// place of a limit of processor time. A machine that has ended has no vCPUs to slow down.
    ///
    /// - Parameter percent: from 1 to 99; nil for all of the time.
    func setDutyCycle(percent: Int?) { state.update { $0.dutyCycle = percent } }

    /// The body of the limit's thread, which every machine has from its start: a machine in a jail starts no thread later from whatever
    /// thread a limit comes to. It trims the machine, too.
    func keepLimit() {
        var trimming = TrimSchedule(now: HostClock.monotonic(), used: HostClock.processTime())
        while true {
            let order = state.wait(until: trimming.nextLook) { state -> ProcessorOrder? in
                if state.lifecycle.isOver { return .end }
                if let percent = state.dutyCycle { return .dutyCycle(percent: percent) }
                return state.processorLimit.map { .budget(percent: $0) }
            }
            switch order {
            case .dutyCycle(let percent): keepDutyCycle(percent)
            case .budget(let percent): keepBudget(percent, &trimming)
            case .end: return
            case nil:
                trimIfIdle(&trimming)
                continue
            }
            setExhausted(false)
        }
    }

    /// Keeps a limit of processor time until there is another one.
    private func keepBudget(_ percent: Int, _ trimming: inout TrimSchedule) {
        // vCPUs, and the other threads together.
        let threads = board.processors.count + 1
        var budget = ProcessorBudget(
            percent: percent, threads: threads, now: HostClock.monotonic(), used: HostClock.processTime())
        var isOver = false
        while !isOver {
            let decision = budget.look(now: HostClock.monotonic(), used: HostClock.processTime())
            setExhausted(decision.isExhausted)
            if !decision.isExhausted { trimIfIdle(&trimming) }
            isOver =
                state.wait(until: decision.nextLook) { state in
                    state.lifecycle.isOver || state.dutyCycle != nil || state.processorLimit != percent ? () : nil
                } != nil
        }
    }

    /// Keeps a duty cycle until there is another one.
    private func keepDutyCycle(_ percent: Int) {
        let period: UInt64 = 10_000_000
        let (on, off) = (period * UInt64(percent) / 100, period * UInt64(100 - percent) / 100)
        var mayRun = false
        var isOver = false
        while !isOver {
            mayRun.toggle()
            setExhausted(!mayRun)
            isOver =
                state.wait(until: HostClock.monotonic() &+ (mayRun ? on : off)) { state in
                    state.lifecycle.isOver || state.dutyCycle != percent ? () : nil
                } != nil
        }
    }

    private func setExhausted(_ isExhausted: Bool) {
        let isNew = state.withLock { $0.isExhausted != isExhausted }
        guard isNew else { return }
        state.update { $0.isExhausted = isExhausted }
        if isExhausted { for processor in board.processors { processor.requestExit() } }
    }
}

/// What the limit's thread has to keep.
private enum ProcessorOrder {
    case budget(percent: Int)
    case dutyCycle(percent: Int)
    case end
}
