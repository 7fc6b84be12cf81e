internal import SavedState

/// The state of a UART that its lock protects.
struct UART16550State: Sendable {
    static let kind = "uart16550"

    var registers = UART16550Registers()
    /// Input taken from the channel that the receiver had no room for in the end; at most a FIFO's worth.
    var held: [UInt8] = []
    /// The channel may have input: it said so, or gave some when last asked.
    var inputMayWait = true
    /// A thread is between `beginPull` and `endPull`.
    var isPulling = false
    /// A thread is between `beginSending` and `endSending`.
    var isSending = false
    /// The host announced room since `beginSending`.
    var hostHasRoom = false
    var isPaused = false
    /// What the interrupt line shows.
    var line = false

    init() {}

    /// Bytes to take from the channel now; nil when there is no room, no reader, or another thread at it.
    ///
    /// Waits for an empty receiver, so that a burst of input is a few large reads on the host.
    ///
    /// - Parameter polled: the guest reads LSR or RBR, which shows one byte whether or not interrupts are enabled. Each
    ///   such look is passed on to the channel, which may judge by them how eagerly the guest waits.
    mutating func beginPull(polled: Bool) -> Int? {
        guard !isPaused, !isPulling, inputMayWait || polled, held.isEmpty, registers.receiver.isEmpty,
            !registers.isLoopback,
            registers.receivesByInterrupt || polled
        else { return nil }
        isPulling = true
        // Cleared before the channel is asked: what arrives meanwhile sets it again.
        inputMayWait = false
        return registers.receivesByInterrupt ? registers.capacity : 1
    }

    mutating func endPull(_ bytes: [UInt8], polled: Bool) {
        isPulling = false
        if !bytes.isEmpty { inputMayWait = true }
        held += bytes
        admit(polled: polled)
    }

    /// Moves held input into the receiver: as much as there is room for with the interrupt enabled, one byte for a poll.
    mutating func admit(polled: Bool = false) {
        guard !held.isEmpty, !registers.isLoopback, registers.receivesByInterrupt || polled else { return }
        let room = (registers.receivesByInterrupt ? registers.capacity : 1) - registers.receiver.count
        let count = max(0, min(held.count, room))
        registers.receiver += held.prefix(count)
        held.removeFirst(count)
    }

    /// Takes the bytes to send; nil when there are none, when the host has no room, or when another thread is sending and will
    /// come back for the rest. A paused device sends nothing: its bytes are in its saved state.
    mutating func beginSending() -> [UInt8]? {
        guard !isPaused, !isSending, !registers.isHeldUp, !registers.transmitter.isEmpty else { return nil }
        isSending = true
        hostHasRoom = false
        let bytes = registers.transmitter
        registers.transmitter = []
        return bytes
    }

    /// Puts the bytes back that the host did not take, before those that the guest has written meanwhile.
    mutating func endSending(_ unsent: ArraySlice<UInt8>) {
        isSending = false
        // A guest that ignores the line status loses bytes beyond the limit, as with a full transmitter.
        registers.transmitter = Array((unsent + registers.transmitter).prefix(UART16550Registers.transmitLimit))
        // The host may have made room before it was noted that there was none.
        registers.isHeldUp = !unsent.isEmpty && !hostHasRoom
        // Another thread's bytes may have come meanwhile: they are sent next.
        if registers.transmitter.isEmpty { registers.transmitterBecameEmpty = true }
    }

    /// Notes that the host may have room again.
    mutating func hostMadeRoom() {
        hostHasRoom = true
        registers.isHeldUp = false
    }

    var saved: SavedRecord {
        var record = SavedRecord(kind: Self.kind, version: 2)
        record.set("interruptEnable", registers.interruptEnable)
        record.set("lineControl", registers.lineControl)
        record.set("modemControl", registers.modemControl)
        record.set("scratch", registers.scratch)
        record.set("divisorLow", registers.divisorLow)
        record.set("divisorHigh", registers.divisorHigh)
        record.set("fifosEnabled", registers.fifosEnabled)
        record.set("triggerLevel", UInt8(registers.triggerLevel))
        record.set("overrun", registers.overrun)
        record.set("modemChanges", registers.modemChanges)
        record.set("transmitterBecameEmpty", registers.transmitterBecameEmpty)
        record.set("receiver", registers.receiver)
        record.set("transmitter", registers.transmitter)
        record.set("held", held)
        return record
    }

    init(_ record: SavedRecord) throws(SavedStateError) {
        // Version 1 counted reads of LSR as well.
        try record.expect(kind: Self.kind, versions: 1...2)
        registers.interruptEnable = try record.bits("interruptEnable", mask: 0x0F)
        registers.lineControl = try record.integer("lineControl")
        registers.modemControl = try record.bits("modemControl", mask: 0x1F)
        registers.scratch = try record.integer("scratch")
        registers.divisorLow = try record.integer("divisorLow")
        registers.divisorHigh = try record.integer("divisorHigh")
        registers.fifosEnabled = try record.boolean("fifosEnabled")
        registers.triggerLevel = try record.integer("triggerLevel")
        guard [1, 4, 8, 14].contains(registers.triggerLevel) else {
            throw .badField(kind: Self.kind, field: "triggerLevel")
        }
        registers.overrun = try record.boolean("overrun")
        registers.modemChanges = try record.bits("modemChanges", mask: 0x0F)
        registers.transmitterBecameEmpty = try record.boolean("transmitterBecameEmpty")
        registers.receiver = try record.bytes("receiver", limit: registers.capacity)
        registers.transmitter = try record.bytes("transmitter", limit: UART16550Registers.transmitLimit)
        held = try record.bytes("held", limit: UART16550Registers.fifoSize)
    }
}
