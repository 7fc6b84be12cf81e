internal import Machine
internal import PCI
internal import SavedState
internal import Synchronization

/// The interrupt side of a virtio-pci device: a message for each queue where the driver has enabled messages, and otherwise the
/// ISR status with the function's pin (VIRTIO 1.2, sections 4.1.4.5 and 4.1.5.1.2).
final class PCISignals: TransportSignals {
    static let noVector: UInt16 = 0xFFFF
    private static let usedBuffer: UInt8 = 1
    private static let configurationChange: UInt8 = 2

    private struct State {
        var status: UInt8 = 0
        var needsReset = false
        // Before DRIVER_OK a driver is not told of anything (section 2.1.2).
        var isLive = false
        var configurationVector = noVector
        var queueVectors: [UInt16]

        init(queueCount: Int) {
            queueVectors = Array(repeating: noVector, count: queueCount)
        }
    }

    let messages: MSIXTable?
    private let queueCount: Int
    private let configuration: PCIConfiguration
    private let line = Mutex<InterruptLine?>(nil)
    private let state: Mutex<State>

    init(queueCount: Int, messages: MSIXTable?, configuration: PCIConfiguration) {
        self.queueCount = queueCount
        self.messages = messages
        self.configuration = configuration
        state = Mutex(State(queueCount: queueCount))
    }

    func connect(_ line: InterruptLine) { self.line.withLock { $0 = line } }

    // MARK: The device's doing

    func signalQueue(_ index: Int) { raise(Self.usedBuffer) { $0.queueVectors[index] } }
    func signalConfigurationChange() { raise(Self.configurationChange) { $0.configurationVector } }

    func signalNeedsReset(_ reason: VirtQueueError) {
        state.withLock { $0.needsReset = true }
        signalConfigurationChange()
    }

    private func raise(_ bit: UInt8, vector: (borrowing State) -> UInt16) {
        state.withLock { state in
            guard state.isLive else { return }
            if let messages, messages.isEnabled {
                let number = vector(state)
                if number != Self.noVector { messages.signal(Int(number)) }
            } else {
                state.status |= bit
                drive(state)
            }
        }
    }

    // MARK: The driver's doing

    /// A read of the ISR status, which takes it back.
    func takeStatus() -> UInt8 {
        state.withLock { state in
            defer {
                state.status = 0
                drive(state)
            }
            return state.status
        }
    }

    var configurationVector: UInt16 { state.withLock { $0.configurationVector } }
    func queueVector(_ index: Int) -> UInt16 { state.withLock { $0.queueVectors[index] } }

    /// One that the table lacks is not taken over: the driver reads back that it has none (section 4.1.5.1.2.1).
    func setConfigurationVector(_ vector: UInt16) {
        state.withLock { $0.configurationVector = checked(vector) }
    }

    func setQueueVector(_ index: Int, _ vector: UInt16) {
        state.withLock { $0.queueVectors[index] = checked(vector) }
    }

    private func checked(_ vector: UInt16) -> UInt16 {
        Int(vector) < messages?.count ?? 0 ? vector : Self.noVector
    }

    /// The pin follows the status while messages are off and the driver has not disabled it.
    private func drive(_ state: borrowing State) {
        let isAllowed =
            configuration.command & PCIConfiguration.Command.interruptDisable == 0 && messages?.isEnabled != true
        let isPending = state.status != 0
        configuration.setInterruptStatus(isPending)
        line.withLock { $0 }?.set(isPending && isAllowed)
    }

    func driveLine() { state.withLock { drive($0) } }

    // MARK: State

    var needsReset: Bool { state.withLock { $0.needsReset } }

    func goLive() { state.withLock { $0.isLive = true } }

    func reset() {
        state.withLock { state in
            state = State(queueCount: queueCount)
            drive(state)
        }
    }

    func save(into record: inout SavedRecord) {
        let state = self.state.withLock { $0 }
        record.set("interruptStatus", state.status)
        record.set("needsReset", state.needsReset)
        record.set("configurationVector", state.configurationVector)
        record.set("queueVectors", state.queueVectors.map(UInt64.init))
    }

    func restore(_ record: SavedRecord, isLive: Bool) throws(SavedStateError) {
        var restored = State(queueCount: queueCount)
        restored.status = try record.integer("interruptStatus")
        restored.needsReset = try record.boolean("needsReset")
        restored.isLive = isLive
        restored.configurationVector = try record.integer("configurationVector")
        restored.queueVectors = try record.integers("queueVectors", count: queueCount)
            .map(UInt16.init(truncatingIfNeeded:))
        state.withLock { $0 = restored }
    }
}
