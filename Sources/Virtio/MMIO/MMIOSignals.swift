internal import Machine
internal import SavedState
internal import Synchronization

/// The interrupt side of a virtio-mmio device: InterruptStatus, the line that follows it, and DEVICE_NEEDS_RESET.
///
/// It is apart from the transport so that a device can hold on to it without a cycle, and so that an interrupt handler does
/// not wait for other registers.
final class MMIOSignals: TransportSignals {
    private struct State {
        var interruptStatus: UInt32 = 0
        var needsReset = false
        // Before DRIVER_OK a driver is not told of anything (section 2.1.2).
        var isLive = false
    }

    private static let usedBuffer: UInt32 = 1
    private static let configurationChange: UInt32 = 2

    private let line: InterruptLine
    private let state = Mutex(State())

    init(line: InterruptLine) {
        self.line = line
    }

    func signalQueue(_ index: Int) { raise(Self.usedBuffer) }
    func signalConfigurationChange() { raise(Self.configurationChange) }

    func signalNeedsReset(_ reason: VirtQueueError) {
        state.withLock { $0.needsReset = true }
        raise(Self.configurationChange)
    }

    private func raise(_ bits: UInt32) {
        state.withLock { state in
            guard state.isLive else { return }
            state.interruptStatus |= bits
            // Under the lock, so that the line's last level belongs to the last status.
            line.set(true)
        }
    }

    /// InterruptStatus.
    var pending: UInt32 { state.withLock { $0.interruptStatus } }

    var needsReset: Bool { state.withLock { $0.needsReset } }

    /// InterruptACK.
    func acknowledge(_ bits: UInt32) {
        state.withLock { state in
            state.interruptStatus &= ~bits
            line.set(state.interruptStatus != 0)
        }
    }

    /// From DRIVER_OK on the driver is told.
    func goLive() {
        state.withLock { $0.isLive = true }
    }

    func reset() {
        state.withLock { state in
            state = State()
            line.set(false)
        }
    }

    /// Gives the line the level that belongs to the status, after a restore.
    func driveLine() {
        state.withLock { line.set($0.interruptStatus != 0) }
    }

    func save(into record: inout SavedRecord) {
        let state = self.state.withLock { $0 }
        record.set("interruptStatus", state.interruptStatus)
        record.set("needsReset", state.needsReset)
    }

    func restore(_ record: SavedRecord, isLive: Bool) throws(SavedStateError) {
        let interruptStatus: UInt32 = try record.integer("interruptStatus")
        let needsReset = try record.boolean("needsReset")
        state.withLock { $0 = State(interruptStatus: interruptStatus, needsReset: needsReset, isLive: isLive) }
    }
}
