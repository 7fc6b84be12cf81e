internal import HostSystem

/// The calls of a machine for tasks: the same as those for threads, and none of them blocks a thread of the cooperative pool.
extension VirtualMachine: GuestMachine {
    /// Loads the guest and lets it run.
    ///
    /// - Throws: as the blocking `start()`.
    public func start() async throws(AerieError) {
        try await BlockingWork.run("machine-start") { () throws(AerieError) in try self.start() }
    }

    /// Starts a new machine from a saved state. Its configuration must equal that of the saved machine; the engine may differ.
    ///
    /// - Parameter path: a file of `save(to:)`.
    /// - Throws: as the blocking `start(restoring:)`.
    public func start(restoring path: String) async throws(AerieError) {
        try await BlockingWork.run("machine-start") { () throws(AerieError) in try self.start(restoring: path) }
    }

    /// Stops the machine between two instructions of each vCPU, with all devices quiet and its clock standing still.
    ///
    /// - Throws: `usage` when the machine does not run, or ends before it stands still.
    public func pause() async throws(AerieError) {
        try await BlockingWork.run("machine-pause") { () throws(AerieError) in try self.pause() }
    }

    /// Lets a paused machine run again.
    ///
    /// - Throws: `usage` when the machine is not paused.
    public func resume() async throws(AerieError) {
        try await BlockingWork.run("machine-resume") { () throws(AerieError) in try self.resume() }
    }

    /// Saves a paused machine to a file; see the blocking `save(to:)`.
    ///
    /// - Parameter path: the file's path. An existing file is replaced.
    /// - Throws: `usage` when the machine is not paused, `unavailable` when a device cannot be saved, and `notStarted` when the host cannot
    ///   store the file.
    public func save(to path: String) async throws(AerieError) {
        try await BlockingWork.run("machine-save") { () throws(AerieError) in try self.save(to: path) }
    }

    /// Asks the guest to power itself off over the control port, kills it when it does not within the limit, and returns when the machine has
    /// ended.
    ///
    /// - Parameter limit: the time for the guest's programs to end; zero kills at once. A guest without a control port is killed after it.
    /// - Throws: `cancelled` when the task is cancelled before the machine has ended; the machine may still run then.
    @discardableResult
    public func stop(within limit: Duration) async throws(AerieError) -> Outcome {
        let end = ContinuousClock.now + limit
        while currentState != .created, case let rest = end - ContinuousClock.now, rest > .zero {
            // Linux drops bytes for a console that it has not made yet, so that a request during boot may be lost.
            requestPowerOff()
            if try await waitForEnd(within: min(rest, .seconds(1))) { return try await outcome }
        }
        kill()
        return try await outcome
    }

    /// - Returns: whether the machine has ended within the limit.
    /// - Throws: `cancelled`.
    private func waitForEnd(within limit: Duration) async throws(AerieError) -> Bool {
        let hasEnded = await withTaskGroup(of: Bool.self) { group in
            group.addTask { (try? await self.outcome) != nil }
            group.addTask {
                try? await Task.sleep(for: limit)
                return false
            }
            let first = await group.next() ?? false
            group.cancelAll()
            return first
        }
        try AerieError.checkCancellation("stopping a virtual machine")
        return hasEnded
    }

    /// The outcome of the machine, as soon as it has ended: its threads have ended and its files are free then.
    ///
    /// - Throws: `cancelled` when the task is cancelled first.
    public var outcome: Outcome {
        get async throws(AerieError) {
            for await state in states {
                guard case .ended = state else { continue }
                // It returns as soon as the last thread is joined.
                return try await BlockingWork.run("machine-end") { self.wait() }
            }
            throw AerieError.cancelled("waiting for the end of a virtual machine")
        }
    }

    /// The present state and each later one, until the machine's end; see `GuestMachine.states`.
    public var states: AsyncStream<State> {
        AsyncStream(bufferingPolicy: .bufferingNewest(StateObservers.bufferSize)) { continuation in
            let id = state.withLock { $0.observers.add(continuation, present: State($0.lifecycle)) }
            guard let id else { return continuation.finish() }
            // The end of the machine removes its observers, with the state's lock held.
            continuation.onTermination = { [weak self] reason in
                guard case .cancelled = reason else { return }
                self?.state.withLock { $0.observers.remove(id) }
            }
        }
    }

    /// Opens the guest's console.
    ///
    /// The latest 64 KiB of output come first. A session whose reader lags behind by more than 1 MiB loses the oldest output; it never holds the
    /// guest up.
    ///
    /// - Throws: `usage` for a machine that was built with a `ConsoleChannel` of the caller's.
    public func openConsole() throws(AerieError) -> ConsoleSession {
        guard let console else {
            throw AerieError(
                .usage, asked: "opening the machine's console", found: "it was built with a channel of the caller's",
                advice: "build the machine without one")
        }
        return console.open()
    }
}
