internal import HostSystem
package import Machine
package import SavedState

/// A real-time clock with an alarm, as of the Android emulator's goldfish board (`google,goldfish-rtc`).
///
/// It shows the host's wall clock, plus what the guest set it ahead. The clock goes on while the machine is paused; an
/// alarm that comes due meanwhile fires at resume.
///
/// Locks: the interrupt line is set with the device's lock held; no sink calls a device.
package final class GoldfishRTC: MemoryMappedDevice {
    package static let size: UInt64 = 0x1000
    /// The wall clock may be stepped while an alarm waits, so it is looked at this often (nanoseconds).
    private static let longestSleep: UInt64 = 10_000_000_000

    package let name: String
    private let line: InterruptLine
    private let clock: @Sendable () -> UInt64
    private let state = Monitor(Guarded())

    private struct Guarded {
        var registers = GoldfishRTCState()
        /// Changes with everything that may change when the alarm thread has to wake up.
        var generation: UInt64 = 0
        var isPaused = false
        var isStopped = false
        var thread: HostThread?
    }

    /// - Parameter clock: the host's wall clock, nanoseconds since 1970-01-01 UTC.
    package init(
        name: String, line: InterruptLine, clock: @escaping @Sendable () -> UInt64 = { HostClock.realtime() }
    ) {
        self.name = name
        self.line = line
        self.clock = clock
    }

    package func read(offset: UInt64, size: Int) -> UInt64 {
        state.withLock { state in
            let time = clock()
            return WordAccess.read(offset: offset, size: size) { state.registers.read($0, hostTime: time) }
        }
    }

    package func write(offset: UInt64, size: Int, value: UInt64) {
        change { state in
            let time = clock()
            WordAccess.write(offset: offset, size: size, value: value) { register, value in
                state.registers.write(register, value, hostTime: time)
                // An alarm in the past fires at once, before the next register is written.
                state.registers.fireIfDue(hostTime: time)
            }
            line.set(state.registers.line)
        }
    }

    private func change(_ body: (inout Guarded) -> Void) {
        state.update { state in
            body(&state)
            state.generation &+= 1
        }
    }

    // MARK: Lifecycle

    package func start() throws {
        let thread = try HostThread(name: "rtc-alarm") { [weak self] in
            // The thread ends in `stop`, which comes before the object may go.
            self?.waitForAlarms()
        }
        state.withLock { $0.thread = thread }
        resume()
    }

    private func waitForAlarms() {
        var seen: UInt64 = 0
        var deadline: UInt64?
        while true {
            let isStopped = state.wait(until: deadline) { state -> Bool? in
                if state.isStopped { return true }
                return state.generation == seen ? nil : false
            }
            if isStopped == true { return }
            deadline = state.withLock { state in
                seen = state.generation
                guard !state.isPaused else { return nil }
                let time = clock()
                state.registers.fireIfDue(hostTime: time)
                line.set(state.registers.line)
                return state.registers.timeToAlarm(hostTime: time).map {
                    HostClock.monotonic() &+ min($0, Self.longestSleep)
                }
            }
        }
    }

    package func pause() {
        change { $0.isPaused = true }
    }

    package func resume() {
        change { state in
            state.isPaused = false
            state.registers.fireIfDue(hostTime: clock())
            line.set(state.registers.line)
        }
    }

    /// Power-on state; the clock shows the host's time again.
    package func reset() {
        change { $0.registers = GoldfishRTCState() }
    }

    package func stop() {
        change { $0.isStopped = true }
        let thread = state.withLock { state in
            defer { state.thread = nil }
            return state.thread
        }
        thread?.join()
    }

    package func save() throws(SavedStateError) -> SavedRecord {
        state.withLock { $0.registers.saved }
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        let restored = try GoldfishRTCState(record)
        change { $0.registers = restored }
    }
}
