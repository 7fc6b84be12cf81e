internal import HostSystem
internal import Machine
internal import VirtioDevices

/// The machine's threads, and its end, which the control thread carries out.
extension VirtualMachine {
    /// The body of a vCPU's thread: runs guest code when permitted, and waits otherwise.
    func drive(_ processor: any VirtualProcessor) {
        while true {
            state.update { $0.parked += 1 }
            let permitted = state.wait { state -> Bool? in
                if state.lifecycle.isOver { return false }
                guard state.permitted, !state.isExhausted else { return nil }
                state.parked -= 1
                return true
            }
            guard permitted == true else { return }
            if case .failed(let reason) = processor.run() {
                Self.post(.crash("vCPU \(processor.index): \(reason)"), to: state, of: board)
            }
        }
    }

    /// The body of the control thread: serves requests of the guest and of the machine's owner until the machine has ended.
    func serveRequests() {
        while true {
            let isAsked = state.wait { state -> Bool? in
                if state.lifecycle.isOver { return false }
                return state.request == nil ? nil : true
            }
            guard isAsked == true else { return }
            let hasEnded = exclusively {
                // Only now, so that a caller who had the machine before finds the request.
                let request = state.update { state in
                    defer { state.request = nil }
                    return state.request
                }
                return request.map(carryOut) ?? false
            }
            if hasEnded { return }
        }
    }

    /// True when the machine has ended.
    private func carryOut(_ request: Request) -> Bool {
        switch request {
        case .event(.reset) where restartsOnReset: return restart()
        case .event(.reset): end(.reset)
        case .event(.powerOff): end(.poweredOff)
        case .event(.failure(let code)): end(.failed(code: Int(code)))
        case .event(.panic): return answer(.panicked)
        case .event(.watchdog): return answer(.watchdogExpired)
        case .crash(let reason): end(.crashed(reason))
        case .kill: end(.stopped)
        }
        return true
    }

    /// The guest is dead for `reason`. True when the machine has ended.
    private func answer(_ reason: Outcome) -> Bool {
        switch watchdog {
        case .reboot where restartsOnReset:
            log.note(.warning, "machine", cause: "dead guest restarted", "\(reason.text), and is started again")
            return restart()
        case .pause:
            quiesce()
            state.update { $0.lifecycle = .paused }
            log.note(.warning, "machine", cause: "dead guest paused", "\(reason.text), and the machine is paused")
            return false
        case .reboot, .powerOff, .off:
            end(reason)
            return true
        }
    }

    private func restart() -> Bool {
        // The guest gave up on its requests.
        for device in board.devices { device.abandon() }
        quiesce()
        for device in board.devices { device.reset() }
        board.growth?.unplugAll(in: board.memory)
        control.reset()
        do {
            try board.load()
        } catch {
            end(.crashed("reset: \(error)"))
            return true
        }
        log.note(.info, "machine", cause: "reset", "reset by the guest")
        proceed()
        return false
    }

    private func end(_ outcome: Outcome) {
        parkProcessors()
        finish(outcome)
    }

    /// Ends vCPUs' threads, which are outside of guest code, and devices. On the control thread, or in a `start` that fails.
    func finish(_ outcome: Outcome) {
        let threads = state.update { state in
            state.lifecycle = .ending
            state.permitted = false
            defer { state.processorThreads = [] }
            return state.processorThreads
        }
        memoryKeeper.stop()
        for thread in threads { thread.join() }
        stopDevices()
        console?.end()
        state.update { state in
            state.request = nil
            state.lifecycle = .ended(outcome, hasStarted: true)
        }
        log.note(.info, "machine", cause: "ended", "ended: \(outcome.text)")
    }

    /// Ends devices, and with them their hold on files. Every device, whether it started or not.
    private func stopDevices() {
        let areOpen = state.update { state in
            defer { state.devicesAreOpen = false }
            return state.devicesAreOpen
        }
        guard areOpen else { return }
        for device in board.devices.reversed() { device.stop() }
        board.loop.stop()
    }

    /// Gives back what an ended machine still has: its control thread, and the files of a machine that never started. Nothing
    /// happens in other states. Not on the control thread.
    func release() {
        exclusively {
            guard case .ended = state.withLock({ $0.lifecycle }) else { return }
            stopDevices()
        }
        let thread = state.update { state -> HostThread? in
            guard case .ended = state.lifecycle else { return nil }
            defer { state.controlThread = nil }
            return state.controlThread
        }
        thread?.join()
    }
}
