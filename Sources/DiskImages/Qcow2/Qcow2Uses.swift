internal import Synchronization

/// Says when no request that is in flight can use a cluster any more which the guest's disk has given up.
///
/// Requests find a cluster's place and use it later, without a lock. Each belongs to the epoch in which it began; giving up
/// clusters begins the next epoch. Clusters of an epoch are free when all requests of it and of earlier ones have ended.
final class Qcow2Uses: Sendable {
    private struct State {
        var epoch: UInt64 = 0
        // Epochs with requests in flight, oldest first.
        var requests: [(epoch: UInt64, count: Int)] = []
    }

    private let state = Mutex(State())

    /// Begins a request, before it looks for its clusters.
    ///
    /// - Returns: its epoch, for `end`.
    func begin() -> UInt64 {
        state.withLock { state in
            if state.requests.last?.epoch == state.epoch {
                state.requests[state.requests.count - 1].count += 1
            } else {
                state.requests.append((state.epoch, 1))
            }
            return state.epoch
        }
    }

    func end(_ epoch: UInt64) {
        state.withLock { state in
            guard let index = state.requests.firstIndex(where: { $0.epoch == epoch }) else {
                preconditionFailure("a request ends once")
            }
            state.requests[index].count -= 1
            if state.requests[index].count == 0 { state.requests.remove(at: index) }
        }
    }

    /// Begins an epoch in which requests do not find clusters that were given up before.
    ///
    /// - Returns: the last epoch whose requests may have found them.
    func retire() -> UInt64 {
        state.withLock { state in
            state.epoch += 1
            return state.epoch - 1
        }
    }

    /// Whether all requests of `epoch` and of earlier ones have ended.
    func hasEnded(_ epoch: UInt64) -> Bool {
        state.withLock { state in state.requests.first.map { $0.epoch > epoch } ?? true }
    }
}
