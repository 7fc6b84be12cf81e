package import HostSystem

/// A few threads that wait for the host in place of the event loop. They start when there is work for them.
///
/// Nobody waits for their end: a file system that does not answer may hold a thread for ever.
package final class WorkerPool: Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        var threads = 0
        var idle = 0
        var isEnding = false
    }

    private let limit: Int
    private let state = Monitor(State())

    /// - Parameter limit: the most threads; at least 1.
    package init(limit: Int) { self.limit = limit }

    /// Runs `job` on a thread. The number of jobs that wait is bounded by the guest's queues.
    ///
    /// - Throws: when there is no thread yet and the host gives none.
    package func run(_ job: @escaping @Sendable () -> Void) throws(SystemError) {
        let needsThread = state.updateForOne { state in
            state.isEnding = false
            state.jobs.append(job)
            guard state.jobs.count > state.idle, state.threads < limit else { return false }
            state.threads += 1
            return true
        }
        guard needsThread else { return }
        do {
            _ = try HostThread(name: "share") { [self] in serve() }
        } catch {
            let isLost = state.update { state in
                state.threads -= 1
                if state.threads == 0 { _ = state.jobs.popLast() }
                return state.threads == 0
            }
            if isLost { throw error }
        }
    }

    /// Lets the threads end when they have nothing to do.
    package func stop() { state.update { $0.isEnding = true } }

    private func serve() {
        while true {
            state.withLock { $0.idle += 1 }
            let job = state.wait { state -> (@Sendable () -> Void)?? in
                if state.jobs.isEmpty, !state.isEnding { return nil }
                state.idle -= 1
                if !state.jobs.isEmpty { return state.jobs.removeFirst() }
                state.threads -= 1
                return .some(nil)
            }
            guard let job, let job else { return }
            job()
        }
    }
}
