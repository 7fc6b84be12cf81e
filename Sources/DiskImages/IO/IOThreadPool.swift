internal import HostSystem

/// A few threads for work that blocks. They start when there is work for them.
final class IOThreadPool: Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        var threads: [HostThread] = []
        var idle = 0
        var isEnding = false
    }

    private let limit: Int
    private let state = Monitor(State())

    /// - Parameter limit: the most threads; at least 1.
    init(limit: Int) { self.limit = limit }

    /// Runs `job` on a thread, after jobs that came before have begun. It does not wait.
    ///
    /// The number of waiting jobs is bounded by the requests that the guest's queues hold.
    ///
    /// - Throws: when there is no thread yet and the host gives none.
    func run(_ job: @escaping @Sendable () -> Void) throws(SystemError) {
        let needsThread = state.updateForOne { state in
            state.jobs.append(job)
            return state.jobs.count > state.idle && state.threads.count < limit
        }
        guard needsThread else { return }
        do {
            let thread = try HostThread(name: "disk") { [self] in serve() }
            state.withLock { $0.threads.append(thread) }
        } catch {
            // The threads that are there do without another. Only the loop's thread calls this, so that none ended meanwhile.
            let isLost = state.withLock { state in
                if state.threads.isEmpty { state.jobs.removeLast() }
                return state.threads.isEmpty
            }
            if isLost { throw error }
        }
    }

    /// Ends the threads after the jobs that wait, and joins them. `run` may be called again afterwards.
    func stop() {
        let threads = state.update { state in
            state.isEnding = true
            defer { state.threads = [] }
            return state.threads
        }
        for thread in threads { thread.join() }
        state.withLock { $0.isEnding = false }
    }

    private func serve() {
        while true {
            state.withLock { $0.idle += 1 }
            let job = state.wait { state -> (@Sendable () -> Void)?? in
                if !state.jobs.isEmpty { return state.jobs.removeFirst() }
                return state.isEnding ? .some(nil) : nil
            }
            state.withLock { $0.idle -= 1 }
            guard let job, let job else { return }
            job()
        }
    }
}
