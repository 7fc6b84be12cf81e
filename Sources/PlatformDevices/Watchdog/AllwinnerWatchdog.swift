package import HostSystem
package import Machine
package import SavedState
internal import Synchronization

/// The watchdog of Allwinner's D1, a RISC-V system on a chip (`allwinner,sun20i-d1-wdt`; D1 User Manual, section 3.7): the one that
/// kernels for riscv64 have a driver for, Debian's among them.
///
///     offset  register           bits
///          0  interrupt enable   0 (kept; no line is connected)
///          4  interrupt status   0 expired without a reset; a write of 1 clears it
///         10  control            12...1 key 0xA57 | 0 restart of the countdown; reads 0
///         14  configuration      31...16 key 0x16AA | 1...0: 1 resets the machine, 2 interrupts only
///         18  mode               31...16 key 0x16AA | 7...4 interval | 0 enabled
///
/// Writes without their key are ignored. Keys read as 0.
package final class AllwinnerWatchdog: MemoryMappedDevice {
    package static let size: UInt64 = 0x1000
    private static let kind = "allwinner-watchdog"
    private static let key: UInt32 = 0x16AA
    private static let restart: UInt32 = 0xA57 << 1 | 1

    private enum Register {
        static let interruptEnable: UInt64 = 0x00
        static let interruptStatus: UInt64 = 0x04
        static let control: UInt64 = 0x10
        static let configuration: UInt64 = 0x14
        static let mode: UInt64 = 0x18
    }

    private struct State {
        var interruptEnable: UInt32 = 0
        var interruptStatus: UInt32 = 0
        // Reset of the machine, as after power-on.
        var configuration: UInt32 = 1
        var mode: UInt32 = 0

        /// The countdown in ticks of the time base; nil while it is off.
        var interval: UInt64? {
            // Seconds for the values from 1 on; 0 is half a second, and the values above are reserved.
            let seconds: [UInt64] = [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16]
            guard mode & 1 != 0 else { return nil }
            let index = Int(mode >> 4 & 0xF)
            return index == 0
                ? TimeBase.frequency / 2 : seconds[min(index, seconds.count - 1)] * TimeBase.frequency
        }
    }

    package let name: String
    private let handler: SystemEventHandler
    private let timer: WatchdogTimer
    private let state = Mutex(State())

    /// - Parameter handler: hears of `.watchdog` when the guest has not restarted the countdown in time.
    package init(name: String, timeBase: TimeBase, loop: EventLoop, handler: @escaping SystemEventHandler) {
        self.name = name
        self.handler = handler
        timer = WatchdogTimer(timeBase: timeBase, loop: loop)
    }

    // MARK: Registers

    package func read(offset: UInt64, size: Int) -> UInt64 {
        WordAccess.read(offset: offset, size: size) { register in
            state.withLock { state in
                switch register {
                case Register.interruptEnable: state.interruptEnable
                case Register.interruptStatus: state.interruptStatus
                case Register.configuration: state.configuration
                case Register.mode: state.mode
                default: 0
                }
            }
        }
    }

    package func write(offset: UInt64, size: Int, value: UInt64) {
        WordAccess.write(offset: offset, size: size, value: value) { register, value in
            state.withLock { state in
                switch register {
                case Register.interruptEnable: state.interruptEnable = value & 1
                case Register.interruptStatus: state.interruptStatus &= ~value
                case Register.control where value & 0x1FFF == Self.restart: timer.count(state.interval)
                case Register.configuration where value >> 16 == Self.key: state.configuration = value & 3
                case Register.mode where value >> 16 == Self.key:
                    let wasEnabled = state.mode & 1 != 0
                    state.mode = value & 0xF1
                    // A new interval counts from the next restart on.
                    if wasEnabled != (value & 1 != 0) { timer.count(state.interval) }
                default: break
                }
            }
        }
    }

    private func expire() {
        let resets = state.withLock { state in
            if state.configuration != 1 { state.interruptStatus |= 1 }
            return state.configuration == 1
        }
        if resets { handler(.watchdog) }
    }

    // MARK: Lifecycle

    package func start() throws { try timer.start { [weak self] in self?.expire() } }
    package func pause() { timer.pause() }
    package func resume() { timer.resume() }
    package func stop() { timer.stop() }

    package func reset() {
        state.withLock { $0 = State() }
        timer.count(nil)
    }

    package func save() throws(SavedStateError) -> SavedRecord {
        let state = self.state.withLock { $0 }
        var record = SavedRecord(kind: Self.kind, version: 1)
        record.set("interruptEnable", state.interruptEnable)
        record.set("interruptStatus", state.interruptStatus)
        record.set("configuration", state.configuration)
        record.set("mode", state.mode)
        timer.save(into: &record)
        return record
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: Self.kind, versions: 1...1)
        var restored = State()
        restored.interruptEnable = try record.integer("interruptEnable", as: UInt32.self) & 1
        restored.interruptStatus = try record.integer("interruptStatus", as: UInt32.self) & 1
        restored.configuration = try record.integer("configuration", as: UInt32.self) & 3
        restored.mode = try record.integer("mode", as: UInt32.self) & 0xF1
        let deadline = try WatchdogTimer.deadline(in: record)
        state.withLock { $0 = restored }
        timer.deadline = deadline
    }
}
