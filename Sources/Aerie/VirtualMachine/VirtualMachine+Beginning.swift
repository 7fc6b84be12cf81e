internal import GuestMemory
internal import HostSystem
internal import Machine

/// From `created` to `running`, or to `ended` when that fails.
extension VirtualMachine {
    /// Starts devices, threads and vCPUs of a created machine, after `prepare` has given it a state to start from.
    ///
    /// - Parameter beforeRunning: called when nothing but the guest's first instruction is left.
    func begin(
        beforeRunning: () throws(AerieError) -> Void = {}, _ prepare: () throws(AerieError) -> Void
    ) throws(AerieError) {
        var isRunning = false
        // A machine that ends here leaves nothing behind.
        defer { if !isRunning { release() } }
        isRunning = try exclusively { () throws(AerieError) in
            guard try beginsStarting() else { return false }
            do throws(AerieError) {
                try prepare()
                guard !isKilled else {
                    finish(.stopped)
                    return false
                }
                try launch()
                try beforeRunning()
            } catch {
                log.note(.info, "machine", cause: "notStarted", "not started: \(error)")
                finish(isKilled ? .stopped : .crashed("\(error)"))
                throw error
            }
            state.update { state in
                state.lifecycle = .running
                // A request that came in the meantime is served first.
                state.permitted = state.request == nil
            }
            log.note(.info, "machine", cause: "started", "started")
            return true
        }
    }

    /// False when the machine was killed before: then there is nothing to start.
    private func beginsStarting() throws(AerieError) -> Bool {
        let (begins, found) = state.update { state -> (Bool?, MachineLifecycle) in
            let found = state.lifecycle
            switch found {
            case .created:
                state.lifecycle = .starting
                return (true, found)
            case .ended(let outcome, hasStarted: false):
                state.lifecycle = .ended(outcome, hasStarted: true)
                return (false, found)
            case .starting, .running, .paused, .ending, .ended: return (nil, found)
            }
        }
        guard let begins else { throw AerieError(illegal: "start", in: found, wanted: .created) }
        return begins
    }

    var isKilled: Bool {
        state.withLock { state in
            if case .kill = state.request { true } else { false }
        }
    }

    /// Starts devices and threads. After an error some of them may have started.
    private func launch() throws(AerieError) {
        do {
            try board.loop.start()
            for device in board.devices { try device.start() }
            let control = try HostThread(name: "control") { [self] in serveRequests() }
            state.update { $0.controlThread = control }
            let limit = try HostThread(name: "cpu-limit") { [self] in keepLimit() }
            // It ends, and is joined, with the vCPUs' threads.
            state.update { $0.processorThreads.append(limit) }
            if let thread = try memoryKeeper.startIfNeeded() {
                state.update { $0.processorThreads.append(thread) }
            }
            if board.firstPages > 0 {
                let pages = try HostThread(name: "memory") { [state, board] in
                    board.memory.allocateEnd(of: board.memory.ranges[0], count: board.firstPages) {
                        state.withLock { $0.lifecycle.isOver }
                    }
                }
                state.update { $0.processorThreads.append(pages) }
            }
            for processor in board.processors {
                let thread = try HostThread(name: "vcpu\(processor.index)") { [self] in drive(processor) }
                state.update { $0.processorThreads.append(thread) }
            }
        } catch {
            throw AerieError(.notStarted, asked: "starting the virtual machine", found: "\(error)")
        }
    }
}
