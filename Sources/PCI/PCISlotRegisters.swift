/// The state of a hot-plug slot as its registers show it (PCI Express Base 6.0, sections 6.7 and 7.5.3.9 to 7.5.3.11).
///
/// The slot has an attention button, which the host presses, a power controller and two indicators. Its commands complete at once.
struct PCISlotRegisters {
    /// Attention button, power controller, attention indicator, power indicator, hot-plug capable.
    static let capabilities: UInt32 = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 6

    /// Bits of slot control. Those below 5 enable the interrupt of the event with the same number.
    enum Control {
        static let hotPlugInterrupt: UInt16 = 1 << 5
        static let powerOff: UInt16 = 1 << 10
        /// Enables the interrupt of `Event.linkState`.
        static let linkState: UInt16 = 1 << 12
        /// All but the sensor and the lock of the slot's latch, which it lacks.
        static let writable: UInt16 = 0x17FB
    }

    /// Bits of slot status that stay until the guest writes 1 to them.
    enum Event {
        static let attentionButton: UInt16 = 1 << 0
        static let presence: UInt16 = 1 << 3
        static let commandCompleted: UInt16 = 1 << 4
        static let linkState: UInt16 = 1 << 8
        static let all = attentionButton | presence | commandCompleted | linkState
    }

    private static let presenceDetect: UInt16 = 1 << 6

    /// Slot control.
    private(set) var control: UInt16
    private(set) var events: UInt16
    private(set) var isPresent: Bool
    private(set) var isLinkActive: Bool
    private var isLinkDisabled = false

    /// The slot at power-on: with a card it has power.
    init(isPresent: Bool) {
        self.isPresent = isPresent
        control = isPresent ? 0 : Control.powerOff
        events = 0
        isLinkActive = isPresent
    }

    var isPowered: Bool { control & Control.powerOff == 0 }
    var isListenedTo: Bool { control & Control.hotPlugInterrupt != 0 }
    var status: UInt16 { events | (isPresent ? Self.presenceDetect : 0) }

    /// Whether an event stands whose interrupt is enabled (section 6.7.3).
    var isInterrupting: Bool {
        let sameBits = Event.attentionButton | Event.presence | Event.commandCompleted
        let enabled = control & sameBits | (control & Control.linkState != 0 ? Event.linkState : 0)
        return isListenedTo && events & enabled != 0
    }

    // MARK: The guest's writes

    /// A write to slot control: a command.
    mutating func command(_ value: UInt16) {
        control = value
        events |= Event.commandCompleted
        train()
    }

    mutating func clear(_ written: UInt16) { events &= ~(written & Event.all) }

    mutating func setLink(isDisabled: Bool) {
        isLinkDisabled = isDisabled
        train()
    }

    // MARK: The host's doing

    mutating func setPresent(_ isPresent: Bool) {
        guard isPresent != self.isPresent else { return }
        self.isPresent = isPresent
        events |= Event.presence
        train()
    }

    mutating func pressButton() { events |= Event.attentionButton }

    private mutating func train() {
        let isActive = isPresent && isPowered && !isLinkDisabled
        if isActive != isLinkActive { events |= Event.linkState }
        isLinkActive = isActive
    }

    // MARK: State

    /// The registers of a saved slot.
    init(control: UInt16, events: UInt16, isPresent: Bool, isLinkDisabled: Bool) {
        self.control = control & Control.writable
        self.events = events & Event.all
        self.isPresent = isPresent
        self.isLinkDisabled = isLinkDisabled
        isLinkActive = isPresent && control & Control.powerOff == 0 && !isLinkDisabled
    }
}
