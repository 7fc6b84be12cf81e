internal import HostSystem
package import Machine
package import SavedState

/// A 16550A serial port with 16-byte FIFOs (National Semiconductor's data sheet of the PC16550D) on a character channel.
///
/// Output goes to the channel at once. When the channel has no room, the bytes stay in the transmitter, LSR reports that it is
/// busy, and the transmitter-empty interrupt comes when the channel has taken them: a driver waits as for a slow line, and no
/// thread does.
///
/// Input stays in the channel until the guest can see it: with the received-data interrupt enabled a FIFO is filled as soon
/// as there is input; otherwise each look at LSR or RBR brings one byte, so that a driver that resets the FIFOs as it starts
/// loses one byte at most.
///
/// Locks: the channel is called without the device's lock, since it may call the input handler back; the flags of
/// `UART16550State` keep bytes in order. The interrupt line is set with the lock held, so that levels arrive in order:
/// lines lead from devices to controllers to processors, and no sink calls a device.
package final class UART16550: MemoryMappedDevice {
    /// Bytes of registers; the board may attach more, which read as 0.
    package static let size: UInt64 = 8

    package let name: String
    private let channel: any CharacterChannel
    private let line: InterruptLine
    private let state = Monitor(UART16550State())

    package init(name: String, channel: any CharacterChannel, line: InterruptLine) {
        self.name = name
        self.channel = channel
        self.line = line
    }

    // MARK: Guest accesses

    /// Reads a register. Wider reads answer the byte register at their offset, zero-extended.
    package func read(offset: UInt64, size: Int) -> UInt64 {
        guard offset < Self.size else { return 0 }
        if offset == 0 || offset == 5 { offerInput(offset) }
        let (value, pulls) = state.withLock { state in
            let value = state.registers.read(offset)
            settle(&state)
            return (value, state.registers.receivesByInterrupt)
        }
        if pulls { pull() }
        return UInt64(value)
    }

    /// Writes a register. Of wider writes the lowest byte counts, at their offset.
    package func write(offset: UInt64, size: Int, value: UInt64) {
        guard offset < Self.size else { return }
        let (sends, pulls) = state.withLock { state in
            state.registers.write(offset, UInt8(truncatingIfNeeded: value))
            let sends = state.registers.sendsNow
            // The transmitter is empty again after `send`, which settles the line, so that a byte is no pulse of the line.
            if !sends { settle(&state) }
            return (sends, state.registers.receivesByInterrupt)
        }
        if sends { send() }
        if pulls { pull() }
    }

    /// Before a register that shows input is read: an empty receiver takes a byte that waits.
    private func offerInput(_ register: UInt64) {
        let pulls = state.withLock { state in
            guard state.registers.showsInput(register) else { return false }
            state.admit(polled: true)
            return state.registers.receiver.isEmpty
        }
        if pulls { pull(polled: true) }
    }

    private func settle(_ state: inout UART16550State) {
        if state.registers.receivesByInterrupt { state.admit() }
        let level = state.registers.pendingInterrupt != nil
        if level != state.line {
            state.line = level
            line.set(level)
        }
    }

    // MARK: Host side

    private func pull(polled: Bool = false) {
        while let limit = state.withLock({ $0.beginPull(polled: polled) }) {
            let bytes = channel.read(limit: limit)
            state.update { state in
                state.endPull(Array(bytes.prefix(limit)), polled: polled)
                settle(&state)
            }
            if polled { return }
        }
    }

    private func send() {
        while let bytes = state.withLock({ $0.beginSending() }) {
            let count = min(max(channel.write(bytes), 0), bytes.count)
            state.update { state in
                state.endSending(bytes[count...])
                settle(&state)
            }
        }
    }

    /// The channel has input, or room for output.
    private func channelIsReady() {
        let pulls = state.withLock { state in
            state.inputMayWait = true
            state.hostMadeRoom()
            return state.registers.receivesByInterrupt
        }
        send()
        if pulls { pull() }
    }

    // MARK: Lifecycle

    package func start() {
        channel.setHandler { [weak self] in self?.channelIsReady() }
        resume()
    }

    /// Bytes that the channel has no room for stay in the transmitter, and so in the saved state.
    package func pause() {
        send()
        state.update { $0.isPaused = true }
        // A byte on its way to or from the channel must be on one side before the state is saved.
        state.wait { $0.isPulling || $0.isSending ? nil : () }
    }

    package func resume() {
        state.withLock { state in
            state.isPaused = false
            state.line = state.registers.pendingInterrupt != nil
            line.set(state.line)
        }
        channelIsReady()
    }

    /// Power-on state. Host input that was never shown to the guest is kept for it, and so is its output for the host.
    package func reset() {
        state.withLock { state in
            let unsent = state.registers.transmitter
            state.registers = UART16550Registers()
            state.registers.transmitter = unsent
        }
    }

    /// Hands the channel the last bytes, as far as it has room. A paused device sends nothing: its bytes may have been saved.
    package func stop() {
        channel.setHandler(nil)
        state.withLock { $0.hostMadeRoom() }
        send()
    }

    package func save() throws(SavedStateError) -> SavedRecord {
        state.withLock { $0.saved }
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        let restored = try UART16550State(record)
        state.withLock { state in
            state.registers = restored.registers
            state.held = restored.held
        }
    }
}
