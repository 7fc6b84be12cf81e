package import HostSystem
package import Machine
package import PCI
package import SavedState
internal import Synchronization

/// The watchdog of Intel's 6300ESB controller hub as a PCI function (document 300641, section 16), which kernels for PCs have a driver for.
///
///     configuration space
///       60  16 bits  5 set: expiry does not reset | 2 set: ticks of 1 µs instead of 1 ms | 1...0 interrupt (none is sent)
///       68   8 bits  2 free-running | 1 enabled | 0 locked: the other two stay until a reset
///     base address register 0
///        0  32 bits  preload of the first stage, 20 bits       8  interrupt status (0)
///        4  32 bits  preload of the second stage, 20 bits      C  16 bits: 9 expired, 8 restart of the countdown
///
/// A write to the registers counts only after writes of 0x80 and 0x86 to offset C. A tick is 2^15 (or 2^5) cycles of a clock of 33 MHz.
package final class IntelWatchdog: PCIFunction {
    private static let kind = "intel-watchdog"
    private static let configurationRegister = 0x60
    private static let lockRegister = 0x68
    private static let reloadOffset: UInt64 = 0x0C
    private static let unlockKeys: (UInt16, UInt16) = (0x80, 0x86)
    private static let preloadMask: UInt32 = 0xF_FFFF
    /// Nanoseconds.
    private static let clockCycle: UInt64 = 30
    private static let nanosecondsPerTick = 1_000_000_000 / TimeBase.frequency

    private enum Lock {
        static let locked: UInt8 = 1
        static let enabled: UInt8 = 2
    }

    private struct State {
        var preloads: [UInt32] = [preloadMask, preloadMask]
        /// How many of the two keys were written.
        var keys: UInt8 = 0
        var hasExpired = false
        /// The lock register as it counts.
        var lock: UInt8 = 0
    }

    package let name: String
    package let configuration: PCIConfiguration
    private let handler: SystemEventHandler
    private let timer: WatchdogTimer
    private let state = Mutex(State())

    /// - Parameter handler: hears of `.watchdog` when the guest has not restarted the countdown in time.
    package init(name: String, timeBase: TimeBase, loop: EventLoop, handler: @escaping SystemEventHandler) {
        self.name = name
        self.handler = handler
        timer = WatchdogTimer(timeBase: timeBase, loop: loop)
        configuration = PCIConfiguration(
            vendor: 0x8086, device: 0x25AB, revision: 0, classCode: 0x08_8000, subsystemVendor: 0x1AF4,
            subsystem: 0x1100, hasInterruptPin: false)
        configuration.addBAR(0, size: 4096)
        configuration.allowWriting([0x27, 0x00], at: Self.configurationRegister)
        configuration.allowWriting([0x07], at: Self.lockRegister)
    }

    // MARK: Registers

    package func read(bar: Int, offset: UInt64, size: Int) -> UInt64 {
        state.withLock { state in
            switch offset {
            case 0, 4: UInt64(state.preloads[Int(offset / 4)]) & UInt64.max >> UInt64(64 - 8 * size)
            case Self.reloadOffset where size > 1: state.hasExpired ? 1 << 9 : 0
            default: 0
            }
        }
    }

    package func write(bar: Int, offset: UInt64, size: Int, value: UInt64) {
        state.withLock { state in
            if offset == Self.reloadOffset, takeKey(UInt16(truncatingIfNeeded: value), &state) { return }
            guard state.keys == 2 else { return }
            state.keys = 0
            switch offset {
            case 0 where size == 4, 4 where size == 4:
                state.preloads[Int(offset / 4)] = UInt32(truncatingIfNeeded: value) & Self.preloadMask
            case Self.reloadOffset where size > 1:
                if value & 1 << 9 != 0 { state.hasExpired = false }
                if value & 1 << 8 != 0 { timer.count(interval(state)) }
            default: break
            }
        }
    }

    private func takeKey(_ value: UInt16, _ state: inout State) -> Bool {
        switch (value, state.keys) {
        case (Self.unlockKeys.0, _): state.keys = 1
        case (Self.unlockKeys.1, 1): state.keys = 2
        default: return false
        }
        return true
    }

    package func configurationWritten(at offset: Int, size: Int) {
        guard offset <= Self.lockRegister, offset + size > Self.lockRegister else { return }
        state.withLock { state in
            let written = UInt8(configuration.read(at: Self.lockRegister, size: 1))
            let wasEnabled = state.lock & Lock.enabled != 0
            if state.lock & Lock.locked == 0 { state.lock = written }
            configuration.set([state.lock], at: Self.lockRegister)
            if wasEnabled != (state.lock & Lock.enabled != 0) { timer.count(interval(state)) }
        }
    }

    package func configurationWillBeRead(at offset: Int, size: Int) {}
    package func connect(_ line: InterruptLine) {}

    /// Both stages together, in ticks of the time base: the first stage would only interrupt. Nil while the watchdog is off.
    private func interval(_ state: borrowing State) -> UInt64? {
        guard state.lock & Lock.enabled != 0 else { return nil }
        let isFast = configuration.read(at: Self.configurationRegister, size: 1) & 1 << 2 != 0
        let ticks = state.preloads.reduce(UInt64(0)) { $0 + UInt64($1) }
        return (ticks << (isFast ? 5 : 15)) * Self.clockCycle / Self.nanosecondsPerTick
    }

    private func expire() {
        let resets = state.withLock { state in
            state.hasExpired = true
            return configuration.read(at: Self.configurationRegister, size: 1) & 1 << 5 == 0
        }
        if resets { handler(.watchdog) }
    }

    // MARK: Lifecycle

    package func start() throws { try timer.start { [weak self] in self?.expire() } }
    package func pause() { timer.pause() }
    package func resume() { timer.resume() }
    package func stop() { timer.stop() }

    /// The mark of an expiry outlives the reset that it leads to: the guest can learn of it.
    package func reset() {
        configuration.reset()
        state.withLock { state in
            let hasExpired = state.hasExpired
            state = State()
            state.hasExpired = hasExpired
        }
        timer.count(nil)
    }

    package func save() throws(SavedStateError) -> SavedRecord {
        let state = self.state.withLock { $0 }
        var record = SavedRecord(kind: Self.kind, version: 1)
        record.set("configuration", configuration.save())
        record.set("preloads", state.preloads.map(UInt64.init))
        record.set("keys", state.keys)
        record.set("hasExpired", state.hasExpired)
        record.set("lock", state.lock)
        timer.save(into: &record)
        return record
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: Self.kind, versions: 1...1)
        var restored = State()
        restored.preloads = try record.integers("preloads", count: 2).map {
            UInt32(truncatingIfNeeded: $0) & Self.preloadMask
        }
        restored.keys = try min(record.integer("keys"), 2)
        restored.hasExpired = try record.boolean("hasExpired")
        restored.lock = try record.integer("lock", as: UInt8.self) & 7
        let deadline = try WatchdogTimer.deadline(in: record)
        try configuration.restore(try record.record("configuration"))
        state.withLock { $0 = restored }
        timer.deadline = deadline
    }
}
