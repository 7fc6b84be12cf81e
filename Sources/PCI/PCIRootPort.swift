internal import HostSystem
package import Machine
package import SavedState

/// A PCI Express root port with a hot-plug slot for one function (PCI Express Base 6.0, section 6.7), and the function in it.
///
/// The host plugs a function in at any time. To take it out, the host presses the slot's attention button (`askRemoval`), and the guest
/// lets go of the function by switching the slot's power off. From then on nothing of the function is visible to the guest. A reset of the
/// guest lets go of it, too. A function whose slot has lost power for another reason stays, as at power-on.
///
/// The port is a device of the machine, which passes on the calls of `Device` to the function in its slot.
package final class PCIRootPort: PCIFunction {
    private enum Occupant {
        case none
        case inserted(any PCIFunction)
        /// The host has asked the guest to let go of it.
        case leaving(any PCIFunction)
        /// The guest has let go of it, and does not see it any more.
        case released(any PCIFunction)

        var function: (any PCIFunction)? {
            switch self {
            case .none: nil
            case .inserted(let function), .leaving(let function), .released(let function): function
            }
        }

        /// The function that the guest may see.
        var present: (any PCIFunction)? {
            if case .released = self { return nil }
            return function
        }
    }

    private struct State {
        var occupant = Occupant.none
        var slot = PCISlotRegisters(isPresent: false)
        /// A message was sent for the events that stand.
        var isSignalled = false
        var pin: PCIInterruptPin?
        var isStopped = false
    }

    /// Inputs of the port's interrupt pin.
    private enum Input {
        static let port = 0
        static let card = 1
    }

    private static let stateKind = "pci-root-port"

    package let name: String
    package let configuration: PCIConfiguration
    private let capability: Int
    private let messages: (any MessageSink)?
    private let message: PCIMessage?
    private let state = Monitor(State())

    /// - Parameters:
    ///   - slot: the slot's number, from 1 on.
    ///   - messages: where message-signalled interrupts go; nil leaves the interrupt pin only.
    package init(name: String, slot: Int, messages: (any MessageSink)?) {
        self.name = name
        self.messages = messages
        // Red Hat's identifiers for a generic root port: drivers go by the class.
        configuration = PCIConfiguration(bridge: 0x1B36, device: 0x000C, revision: 0)
        capability = PCIExpressCapability.add(.rootPort(slot: slot), to: configuration)
        message = messages.map { [configuration] _ in PCIMessage(addedTo: configuration) }
        configuration.makeVolatile([0xFF, 0xFF], at: capability + PCIExpressCapability.linkStatus)
        configuration.makeVolatile([0xFF, 0xFF], at: capability + PCIExpressCapability.slotStatus)
        state.withLock { show(&$0) }
    }

    package func connect(_ line: InterruptLine) { state.withLock { $0.pin = PCIInterruptPin(line) } }

    // MARK: The host's side

    /// The function in the slot, whatever the guest knows of it.
    package var function: (any PCIFunction)? { state.withLock { $0.occupant.function } }

    /// Whether the slot takes a function.
    package var isFree: Bool { function == nil }

    /// Whether the guest has a driver for the slot.
    package var isListenedTo: Bool { state.withLock { $0.slot.isListenedTo } }

    /// Puts a function into the free slot of a machine that has not started.
    package func insert(_ function: any PCIFunction) {
        state.withLock { state in
            precondition(state.occupant.function == nil, "a slot has room for one function")
            occupy(&state, function)
            state.slot = PCISlotRegisters(isPresent: true)
            show(&state)
        }
    }

    /// Puts a function, which has started, into the free slot of a running machine, and tells the guest.
    package func plug(_ function: any PCIFunction) {
        state.withLock { state in
            precondition(state.occupant.function == nil, "a slot has room for one function")
            occupy(&state, function)
            state.slot.setPresent(true)
            // The interrupt of the presence is off in drivers that listen to the button.
            state.slot.pressButton()
            settle(&state)
        }
    }

    private func occupy(_ state: inout State, _ function: any PCIFunction) {
        state.occupant = .inserted(function)
        if let pin = state.pin { function.connect(InterruptLine(sink: pin, number: Input.card)) }
    }

    /// Asks the guest to let go of the function. A slot without power has let go of it.
    ///
    /// - Returns: false when there is no function, or when the guest was asked already.
    package func askRemoval() -> Bool {
        state.update { state in
            guard case .inserted(let function) = state.occupant else { return false }
            if state.slot.isLinkActive {
                state.occupant = .leaving(function)
                state.slot.pressButton()
            } else {
                release(&state, function)
            }
            settle(&state)
            return true
        }
    }

    /// Waits until the guest has let go of the function.
    ///
    /// - Parameter deadline: nanoseconds of `HostClock.monotonic`.
    /// - Returns: false when the deadline passed or the machine has ended before; then the function stays.
    package func waitForRelease(until deadline: UInt64) -> Bool {
        let isReleased = state.wait(until: deadline) { state -> Bool? in
            if case .released = state.occupant { return true }
            return state.isStopped ? false : nil
        }
        if isReleased == true { return true }
        return state.withLock { state in
            switch state.occupant {
            case .released: return true
            case .leaving(let function): state.occupant = .inserted(function)
            case .inserted, .none: break
            }
            return false
        }
    }

    /// Takes the function, of which the guest has let go, out of the slot. It is the caller's to stop.
    package func take() -> (any PCIFunction)? {
        state.withLock { state in
            guard case .released(let function) = state.occupant else { return nil }
            state.occupant = .none
            return function
        }
    }

    private func release(_ state: inout State, _ function: any PCIFunction) {
        state.occupant = .released(function)
        state.slot.setPresent(false)
    }

    // MARK: The guest's side

    /// The function on the secondary bus; nil while the slot is empty or without power.
    var reachable: (any PCIFunction)? {
        state.withLock { $0.slot.isLinkActive ? $0.occupant.present : nil }
    }

    package func writeConfiguration(at offset: Int, size: Int, value: UInt64) {
        /// What the write has of a register of 16 bits; 0 for the bytes that it leaves out.
        func written(_ register: Int) -> UInt16? {
            guard offset < register + 2, register < offset + size else { return nil }
            return (0..<2).reduce(0) { bits, byte in
                let place = register + byte - offset
                guard (0..<size).contains(place) else { return bits }
                return bits | UInt16(value >> UInt64(8 * place) & 0xFF) << UInt16(8 * byte)
            }
        }
        let lost = state.update { state -> (any PCIFunction)? in
            let wasActive = state.slot.isLinkActive
            let wasReset = isResettingBus
            configuration.write(at: offset, size: size, value: value)
            if let bits = written(capability + PCIExpressCapability.slotStatus) { state.slot.clear(bits) }
            if written(capability + PCIExpressCapability.linkControl) != nil {
                state.slot.setLink(isDisabled: isLinkDisabled)
            }
            if written(capability + PCIExpressCapability.slotControl) != nil {
                state.slot.command(slotControl)
                if case .leaving(let function) = state.occupant, !state.slot.isPowered { release(&state, function) }
            }
            settle(&state)
            let losesState = wasActive && !state.slot.isLinkActive || isResettingBus && !wasReset
            return losesState ? state.occupant.function : nil
        }
        // Not under the lock: it may wait for the host.
        lost?.resetByGuest()
    }

    package func configurationWritten(at offset: Int, size: Int) {}
    package func configurationWillBeRead(at offset: Int, size: Int) {}
    package func read(bar: Int, offset: UInt64, size: Int) -> UInt64 { 0 }
    package func write(bar: Int, offset: UInt64, size: Int, value: UInt64) {}

    private var slotControl: UInt16 { register(PCIExpressCapability.slotControl) }
    private var isLinkDisabled: Bool { register(PCIExpressCapability.linkControl) & 1 << 4 != 0 }
    private var isResettingBus: Bool {
        let control = UInt16(configuration.read(at: PCIConfiguration.Bridge.control, size: 2))
        return control & PCIConfiguration.Bridge.secondaryReset != 0
    }

    private func register(_ offset: Int) -> UInt16 { UInt16(configuration.read(at: capability + offset, size: 2)) }

    /// Shows the slot's state in the registers.
    private func show(_ state: inout State) {
        func set(_ value: UInt16, _ offset: Int) {
            configuration.set([UInt8(truncatingIfNeeded: value), UInt8(value >> 8)], at: capability + offset)
        }
        let link = PCIExpressCapability.trainedLink | (state.slot.isLinkActive ? PCIExpressCapability.linkActive : 0)
        set(link, PCIExpressCapability.linkStatus)
        set(state.slot.control, PCIExpressCapability.slotControl)
        set(state.slot.status, PCIExpressCapability.slotStatus)
    }

    /// Shows the slot's state, and lets interrupts follow it: the pin its level, a message each beginning (section 6.7.3.4).
    private func settle(_ state: inout State, sendsMessages: Bool = true) {
        show(&state)
        let isPending = state.slot.isInterrupting
        let usesMessages = message?.isEnabled == true
        configuration.setInterruptStatus(isPending)
        if let message, isPending, usesMessages, !state.isSignalled, sendsMessages { messages?.send(message.message) }
        state.isSignalled = isPending && usesMessages
        let isAllowed = configuration.command & PCIConfiguration.Command.interruptDisable == 0
        state.pin?.setInterrupt(Input.port, level: isPending && !usesMessages && isAllowed)
    }

    // MARK: Lifecycle

    package func start() throws { try function?.start() }
    package func abandon() { function?.abandon() }
    package func pause() { function?.pause() }

    package func resume() {
        state.withLock { settle(&$0) }
        function?.resume()
    }

    package func stop() {
        state.update { $0.isStopped = true }
        function?.stop()
    }

    package func reset() {
        function?.reset()
        configuration.reset()
        state.update { state in
            // The guest, which does not use it any more, need not see it again.
            if case .leaving(let function) = state.occupant { state.occupant = .released(function) }
            state.slot = PCISlotRegisters(isPresent: state.occupant.present != nil)
            state.isSignalled = false
            settle(&state)
        }
    }

    package func resetByGuest() {}

    package func save() throws(SavedStateError) -> SavedRecord {
        let (occupant, slot) = state.withLock { ($0.occupant, $0.slot) }
        var record = SavedRecord(kind: Self.stateKind, version: 1)
        record.set("configuration", configuration.save())
        record.set("events", slot.events)
        record.set("isOccupied", occupant.present != nil)
        if let function = occupant.present { record.set("function", try function.save()) }
        return record
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: Self.stateKind, versions: 1...1)
        try configuration.restore(try record.record("configuration"))
        let events: UInt16 = try record.integer("events")
        let wasOccupied = try record.boolean("isOccupied")
        if wasOccupied {
            guard let function else { throw .badField(kind: record.kind, field: "isOccupied") }
            try function.restore(try record.record("function"))
        }
        state.withLock { state in
            state.slot = PCISlotRegisters(
                control: slotControl, events: events, isPresent: wasOccupied, isLinkDisabled: isLinkDisabled)
            settle(&state, sendsMessages: false)
            // A function that the saved guest was about to lose comes anew.
            guard !wasOccupied, state.occupant.present != nil else { return }
            state.slot.setPresent(true)
            state.slot.pressButton()
            settle(&state)
        }
    }
}
