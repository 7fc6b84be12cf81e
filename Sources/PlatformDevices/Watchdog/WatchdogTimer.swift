internal import HostSystem
internal import Machine
internal import SavedState
internal import Synchronization

/// The countdown of a watchdog, in the guest's time: it stands still while the machine is paused, and a saved machine takes it along.
final class WatchdogTimer: Sendable {
    private struct State {
        /// In ticks of the time base; nil while nothing is counted.
        var deadline: UInt64?
        var isRunning = false
        var timer: EventTimer?
    }

    private let timeBase: TimeBase
    private let loop: EventLoop
    private let state = Mutex(State())

    init(timeBase: TimeBase, loop: EventLoop) {
        self.timeBase = timeBase
        self.loop = loop
    }

    /// Counts down so many ticks of the time base from now; nil ends the countdown.
    func count(_ ticks: UInt64?) {
        state.withLock { state in
            state.deadline = ticks.map { timeBase.now &+ $0 }
            schedule(state)
        }
    }

    /// The time of the time base at which the countdown ends; nil when there is none.
    var deadline: UInt64? {
        get { state.withLock { $0.deadline } }
        set {
            state.withLock { state in
                state.deadline = newValue
                schedule(state)
            }
        }
    }

    private func schedule(_ state: borrowing State) {
        guard let timer = state.timer else { return }
        if state.isRunning, let deadline = state.deadline, let time = timeBase.hostTime(of: deadline) {
            timer.schedule(at: time)
        } else {
            timer.disarm()
        }
    }

    // MARK: Saved state

    /// Adds the countdown to a watchdog's record.
    func save(into record: inout SavedRecord) {
        let deadline = self.deadline
        record.set("isCounting", deadline != nil)
        record.set("deadline", deadline ?? 0)
    }

    /// The countdown's end in a watchdog's record, which the watchdog puts back with the rest of its state.
    static func deadline(in record: SavedRecord) throws(SavedStateError) -> UInt64? {
        let isCounting = try record.boolean("isCounting")
        let deadline: UInt64 = try record.integer("deadline")
        return isCounting ? deadline : nil
    }

    // MARK: Lifecycle

    /// - Parameter expired: called on the loop's thread when a countdown has ended.
    func start(expired: @escaping @Sendable () -> Void) throws(SystemError) {
        let timer = try EventTimer(on: loop) { [weak self] in
            if self?.takeExpiration() == true { expired() }
        }
        state.withLock { $0.timer = timer }
        resume()
    }

    private func takeExpiration() -> Bool {
        state.withLock { state in
            guard state.isRunning, let deadline = state.deadline else { return false }
            guard timeBase.now >= deadline else {
                schedule(state)
                return false
            }
            state.deadline = nil
            return true
        }
    }

    func pause() { setRunning(false) }
    func resume() { setRunning(true) }

    private func setRunning(_ isRunning: Bool) {
        state.withLock { state in
            state.isRunning = isRunning
            schedule(state)
        }
    }

    func stop() {
        let timer = state.withLock { state in
            state.isRunning = false
            defer { state.timer = nil }
            return state.timer
        }
        // Waits for the handler, which takes the lock.
        timer?.cancel()
    }
}
