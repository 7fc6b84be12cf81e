internal import HostSystem
internal import Machine

/// Memory that an idle machine gives up: generated code, caches of vCPUs, and what the allocator keeps for later.
extension VirtualMachine {
    /// Trims the machine if it is due. On the thread of the processor limit.
    func trimIfIdle(_ schedule: inout TrimSchedule) {
        let now = HostClock.monotonic()
        guard now >= schedule.nextLook else { return }
        switch schedule.look(now: now, used: HostClock.processTime()) {
        case .nothing: break
        case .heap:
            trimHeap()
            releaseProgram()
        case .machine:
            if trim() { schedule.noteTrim(now: HostClock.monotonic(), used: HostClock.processTime()) }
        }
    }

    /// Gives memory back that the machine can do without while it is idle. The guest stands still for some milliseconds; its devices do not.
    ///
    /// - Returns: false when the machine does not run, or is in a transition.
    package func trim() -> Bool {
        guard state.withLock({ $0.lifecycle }) == .running else { return false }
        board.prepareTrim()
        let isTrimmed = exclusivelyIfFree {
            guard state.withLock({ $0.lifecycle }) == .running else { return false }
            parkProcessors()
            board.trimMemory()
            // A request that came in the meantime is served first.
            state.update { $0.permitted = $0.request == nil }
            return true
        }
        guard isTrimmed == true else { return false }
        trimHeap()
        releaseProgram()
        log.note(.debug, "machine", cause: "trimmed", "the guest is idle; memory that makes it fast is given back")
        return true
    }
}
