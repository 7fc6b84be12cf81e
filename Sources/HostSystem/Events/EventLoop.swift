internal import CLinux
internal import Glibc

/// One thread that waits for descriptors, timers and requests of other threads, and calls their handlers one at a time
/// (epoll(7)).
///
/// A handler runs on the loop's thread and must not block: other handlers, and whoever cancels one, wait for it.
/// Sources may be added and cancelled before `start`, while the loop runs, and after `stop`; they are served in between.
///
/// While the loop waits, another thread may run a handler itself (`visit`), which saves the wake-up of the loop's thread. Only the
/// thread that has the turn runs handlers; "the loop's thread" means that thread in the descriptions of handlers.
package final class EventLoop: Sendable {
    package typealias Handler = @Sendable (Events) -> Void

    /// The state of a descriptor that a source waits for.
    package struct Events: OptionSet, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        package static let readable = Events(rawValue: 1)
        package static let writable = Events(rawValue: 2)
        /// An error or a hang-up: reported without being asked for.
        package static let failed = Events(rawValue: 4)
    }

    private struct State {
        var handlers: [UInt64: Handler] = [:]
        var lastIdentifier: UInt64 = 0
        /// The source whose handler runs now; 0 is none.
        var running: UInt64 = 0
        var jobs: [@Sendable () -> Void] = []
        /// Run before the next wait.
        var deferred: [@Sendable () -> Void] = []
        /// Run by the thread at its end.
        var last: [@Sendable () -> Void] = []
        var isEnding = false
        var thread: HostThread?
        /// Handlers may run: from the begin of the loop's thread until its last jobs.
        var isOpen = false
        /// The thread that has the turn.
        var turnIdentity: UInt?
        var isVisited = false
    }

    /// Identifies the event counter of the loop itself.
    private static let wakeIdentifier: UInt64 = 0
    private static let eventsAtOnce = 64

    private let name: String
    private let epoll: FileDescriptor
    private let wake: EventCounter
    private let state = Monitor(State())
    // Held by the thread that has the turn.
    private let turn = Monitor(())

    /// A loop that does not run yet. `name` is its thread's.
    package init(name: String) throws(SystemError) {
        self.name = name
        epoll = FileDescriptor(owning: try checked("epoll_create1") { aerie_epoll_create() })
        wake = try EventCounter()
        _ = try checked("epoll_ctl") {
            aerie_epoll_set(epoll.rawValue, wake.rawValue, true, true, false, false, Self.wakeIdentifier)
        }
    }

    // MARK: Lifecycle

    /// Starts the thread, which keeps the loop alive until `stop`. Once, or again after `stop`.
    package func start() throws(SystemError) {
        state.update { state in
            precondition(state.thread == nil, "an event loop has one thread")
            state.isEnding = false
        }
        let thread = try HostThread(name: name) { [self] in run() }
        state.update { $0.thread = thread }
    }

    /// Ends the thread after the handler that runs, and joins it. Jobs that wait run before it ends. Not from a handler.
    package func stop() {
        let thread = state.update { state in
            state.isEnding = true
            defer { state.thread = nil }
            return state.thread
        }
        wake.signal()
        thread?.join()
    }

    // MARK: Sources and jobs

    /// Calls `handler` whenever the descriptor has one of `events`, until the source is cancelled.
    ///
    /// The descriptor stays the caller's, who cancels the source before closing it.
    ///
    /// - Parameter onlyChanges: call once for each time that the descriptor becomes ready, whether or not the handler takes
    ///   the readiness back (EPOLLET). An eventfd that is watched like this never has to be read.
    package func watch(
        _ descriptor: Int32, for events: Events, onlyChanges: Bool = false, handler: @escaping Handler
    ) throws(SystemError) -> EventSource {
        let identifier = state.update { state in
            state.lastIdentifier += 1
            state.handlers[state.lastIdentifier] = handler
            return state.lastIdentifier
        }
        do {
            try set(descriptor, events, identifier, isNew: true, onlyChanges: onlyChanges)
        } catch {
            state.update { _ = $0.handlers.removeValue(forKey: identifier) }
            throw error
        }
        return EventSource(loop: self, descriptor: descriptor, identifier: identifier, onlyChanges: onlyChanges)
    }

    /// Runs `job` on the loop's thread, after jobs that came before. Any thread; it never waits.
    package func async(_ job: @escaping @Sendable () -> Void) {
        state.update { $0.jobs.append(job) }
        wake.signal()
    }

    /// Runs `job` before the loop waits again, after the handlers of the events that are already there. Only from the loop's
    /// thread. Handlers share the costs of such a job: a system call for several requests, an interrupt for several results.
    package func beforeWaiting(_ job: @escaping @Sendable () -> Void) {
        state.withLock { $0.deferred.append(job) }
    }

    /// Runs `job` on the loop's thread each time that it ends, after everything else.
    package func atEnd(_ job: @escaping @Sendable () -> Void) {
        state.withLock { $0.last.append(job) }
    }

    /// Runs `body` between two handlers and returns its result: on the calling thread if that is the loop's own.
    ///
    /// The caller must not hold a lock that a handler takes. The loop must run.
    package func sync<Result: Sendable>(_ body: @escaping @Sendable () -> Result) -> Result {
        if isCurrent { return body() }
        let result = Monitor<Result?>(nil)
        async { [result] in
            let value = body()
            result.update { $0 = value }
        }
        guard let value = result.wait({ $0 }) else { preconditionFailure("a wait without a deadline has a result") }
        return value
    }

    /// Whether the calling thread is the loop's.
    package var isCurrent: Bool { state.withLock { $0.turnIdentity } == UInt(pthread_self()) }

    // MARK: Visits

    /// Runs `body`, and what it defers, on the calling thread as on the loop's own, if the loop has nothing else to do: it waits, and
    /// no job was added since. `body` must not block, and must be short: handlers wait for it as for each other.
    ///
    /// The caller must not hold a lock that a handler takes. Any thread; it never waits.
    ///
    /// - Returns: false when `body` did not run.
    package func visit(_ body: () -> Void) -> Bool {
        // From a handler the lock is taken as well: visits do not nest.
        turn.withLockIfFree { _ in
            guard begin(isVisit: true) else { return false }
            body()
            runDeferred()
            end()
            return true
        } ?? false
    }

    /// Runs `job` at once by a visit, or else as `async` does. Any thread; it never waits.
    package func visitOrAsync(_ job: @escaping @Sendable () -> Void) {
        if !visit(job) { async(job) }
    }

    /// Whether the thread that has the turn is not the loop's own. Only from a handler.
    package var isVisited: Bool { state.withLock { $0.isVisited } }

    /// Calls the handler of a source by a visit.
    func visit(_ identifier: UInt64) -> Bool { visit { serve(aerie_event(identifier: identifier, flags: 0)) } }

    /// - Returns: false when a visit is not possible.
    private func begin(isVisit: Bool) -> Bool {
        state.withLock { state in
            if isVisit, !state.isOpen || !state.jobs.isEmpty { return false }
            state.turnIdentity = UInt(pthread_self())
            state.isVisited = isVisit
            return true
        }
    }

    private func end() {
        state.withLock { state in
            state.turnIdentity = nil
            state.isVisited = false
        }
    }

    func set(
        _ descriptor: Int32, _ events: Events, _ identifier: UInt64, isNew: Bool, onlyChanges: Bool
    ) throws(SystemError) {
        _ = try checked("epoll_ctl") {
            aerie_epoll_set(
                epoll.rawValue, descriptor, isNew, events.contains(.readable), events.contains(.writable), onlyChanges,
                identifier)
        }
    }

    /// Forgets a source; returns when its handler does not run and will not run again.
    func remove(_ descriptor: Int32, _ identifier: UInt64) {
        let wasKnown = state.update { $0.handlers.removeValue(forKey: identifier) != nil }
        if wasKnown { _ = aerie_epoll_remove(epoll.rawValue, descriptor) }
        guard !isCurrent else { return }
        state.wait { $0.running == identifier ? nil : () }
    }

    // MARK: The thread

    private func run() {
        state.withLock { $0.isOpen = true }
        var events = [aerie_event](repeating: aerie_event(), count: Self.eventsAtOnce)
        var isEnding = false
        while !isEnding {
            let count = aerie_epoll_wait(epoll.rawValue, &events, Int32(Self.eventsAtOnce))
            precondition(count >= 0, "epoll_wait fails only for bad arguments")
            takeTurn {
                for event in events.prefix(Int(count)) { serve(event) }
                runDeferred()
                isEnding = state.withLock { state in
                    if state.isEnding, state.jobs.isEmpty { state.isOpen = false }
                    return !state.isOpen
                }
            }
        }
        takeTurn {
            for job in state.withLock({ $0.last }) { job() }
        }
    }

    private func takeTurn(_ body: () -> Void) {
        turn.withLock { _ in
            _ = begin(isVisit: false)
            body()
            end()
        }
    }

    private func runDeferred() {
        while true {
            let jobs = state.withLock { state in
                defer { state.deferred = [] }
                return state.deferred
            }
            if jobs.isEmpty { return }
            for job in jobs { job() }
        }
    }

    private func serve(_ event: aerie_event) {
        if event.identifier == Self.wakeIdentifier { return serveJobs() }
        // A source that was cancelled since the wait has no handler any more.
        let handler = state.withLock { state in
            let handler = state.handlers[event.identifier]
            if handler != nil { state.running = event.identifier }
            return handler
        }
        guard let handler else { return }
        handler(Events(rawValue: event.flags))
        state.update { $0.running = 0 }
    }

    private func serveJobs() {
        wake.drain()
        let jobs = state.withLock { state in
            defer { state.jobs = [] }
            return state.jobs
        }
        for job in jobs { job() }
    }
}
