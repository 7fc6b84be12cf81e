internal import HostSystem
internal import Synchronization

// Hart state management: starting, stopping and suspending a hart (SBI 2.0, chapter 9).

extension Hart {
    /// Whether the hart executes.
    package var lifeState: HartLife { life.withLock { $0 } }

    /// Stops the hart before it executes the next instruction; `start` lets it go on elsewhere.
    package func stop() {
        life.update { $0 = .stopped }
    }

    /// Makes a stopped hart execute from `address` in S-mode with its hart ID in a0 and `opaque` in a1, as SBI says.
    ///
    /// - Returns: false when the hart is not stopped.
    package func start(at address: UInt64, opaque: UInt64) -> Bool {
        let accepted = life.update { life in
            guard life == .stopped else { return false }
            life = .starting(address: address, opaque: opaque)
            return true
        }
        if accepted { wake() }
        return accepted
    }

    /// Suspends the hart until an enabled interrupt is pending or the wake line is high; then it goes on at the next instruction, or, when the
    /// suspension does not retain registers, at `resume`. Interrupts stay enabled, and the timer stays armed.
    package func suspend(resume: (address: UInt64, opaque: UInt64)?) {
        life.update { life in
            life = resume.map { .suspended(address: $0.address, opaque: $0.opaque) } ?? .suspendedRetentively
        }
    }

    /// Whether the hart may execute its next instruction; a start or a resumption that is due happens here.
    func mayExecute() -> Bool {
        switch lifeState {
        case .started: return true
        case .stopped, .suspended, .suspendedRetentively: return false
        case .starting(let address, let opaque):
            state.pointee.enterSupervisor(at: address, arguments: (UInt64(index), opaque))
        case .resuming(let address, let opaque):
            state.pointee.resumeSupervisor(at: address, arguments: (UInt64(index), opaque))
        }
        life.update { $0 = .started }
        return true
    }

    /// Sleeps while the hart may not execute, until something may have changed.
    func waitToExecute() {
        let afterwards: HartLife
        switch lifeState {
        case .suspended(let address, let opaque): afterwards = .resuming(address: address, opaque: opaque)
        case .suspendedRetentively: afterwards = .started
        case .started, .stopped, .starting, .resuming:
            _ = sleep(until: nil)
            return
        }
        if !isWoken { waitForInterrupt() }
        if isWoken { life.update { $0 = afterwards } }
    }

    private var isWoken: Bool {
        state.pointee.pendingInterrupts() & state.pointee.csr.mie != 0
            || signals.pointee.wakeLine.load(ordering: .sequentiallyConsistent)
    }

    /// Sets the level of the line by which devices end suspensions. They do so past the interrupt controller, because systems
    /// disable the interrupts of devices before they suspend (SBI 2.0, section 9.1: "platform specific hardware event").
    package func setWakeLine(_ level: Bool) {
        signals.pointee.wakeLine.store(level, ordering: .sequentiallyConsistent)
        if level { wake() }
    }
}
