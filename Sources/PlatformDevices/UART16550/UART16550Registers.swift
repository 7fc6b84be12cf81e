/// The registers of a 16550A and their rules, without any host: what a guest access changes and answers.
///
///     offset  read  write   with LCR bit 7 (DLAB) set
///          0  RBR   THR     DLL
///          1  IER   IER     DLM
///          2  IIR   FCR
///          3  LCR   LCR
///          4  MCR   MCR
///          5  LSR
///          6  MSR
///          7  SCR   SCR
///
/// The line has no speed: a byte is sent as soon as it is written unless the host's reader stalls, and four character times
/// without input pass at once, so that bytes below the trigger level show as a character timeout right away. Parity, framing and
/// break errors do not happen; an overrun only happens in loopback, because input from the host waits until there is room.
///
/// The transmitter-empty interrupt follows the data sheet: it becomes pending when the transmitter becomes empty and when it is
/// enabled while the transmitter is empty. A read of IIR that reports it, and a write to THR, clear it.
struct UART16550Registers: Equatable, Sendable {
    static let fifoSize = 16
    /// Bytes that wait for the host at most. A guest that heeds LSR does not get there: as long as the host has not taken all
    /// bytes, the transmitter is not empty. Bytes beyond the limit are lost, as on hardware.
    static let transmitLimit = 4096

    enum InterruptEnable {
        static let receivedData: UInt8 = 1 << 0
        static let transmitterEmpty: UInt8 = 1 << 1
        static let lineStatus: UInt8 = 1 << 2
        static let modemStatus: UInt8 = 1 << 3
    }

    enum InterruptIdentity {
        static let modemStatus: UInt8 = 0x00
        static let none: UInt8 = 0x01
        static let transmitterEmpty: UInt8 = 0x02
        static let receivedData: UInt8 = 0x04
        static let lineStatus: UInt8 = 0x06
        static let characterTimeout: UInt8 = 0x0C
        static let fifosEnabled: UInt8 = 0xC0
    }

    enum LineStatus {
        static let dataReady: UInt8 = 1 << 0
        static let overrun: UInt8 = 1 << 1
        static let transmitterIdle: UInt8 = 0x60
    }

    static let divisorLatchAccess: UInt8 = 1 << 7
    static let loopback: UInt8 = 1 << 4
    private static let newline: UInt8 = 0x0A

    var interruptEnable: UInt8 = 0
    var lineControl: UInt8 = 0
    var modemControl: UInt8 = 0
    var scratch: UInt8 = 0
    var divisorLow: UInt8 = 0x0C
    var divisorHigh: UInt8 = 0
    var fifosEnabled = false
    /// Bytes in the receiver that raise the received-data interrupt: 1, 4, 8 or 14.
    var triggerLevel = 1
    var overrun = false
    /// MSR bits 3...0, cleared by reading.
    var modemChanges: UInt8 = 0
    /// The transmitter-empty interrupt is pending, whether enabled or not.
    var transmitterBecameEmpty = false
    /// Received bytes that the guest has not read, oldest first; at most `capacity`.
    var receiver: [UInt8] = []
    /// Bytes the guest wrote that the host does not have yet.
    var transmitter: [UInt8] = []
    /// The host took less than it was given. Until it has room again, the bytes stay in `transmitter`.
    var isHeldUp = false

    var capacity: Int { fifosEnabled ? Self.fifoSize : 1 }
    var isLoopback: Bool { modemControl & Self.loopback != 0 }
    /// Whether the transmitter's bytes go to the host now.
    var sendsNow: Bool { !transmitter.isEmpty && !isHeldUp }
    private var hasDivisorAccess: Bool { lineControl & Self.divisorLatchAccess != 0 }

    /// The guest takes received bytes by interrupt.
    var receivesByInterrupt: Bool {
        interruptEnable & InterruptEnable.receivedData != 0 && !isLoopback
    }

    /// Whether a read of `register` shows received input: RBR, or LSR with its bit 0.
    func showsInput(_ register: UInt64) -> Bool { register == 5 || register == 0 && !hasDivisorAccess }

    /// The identity of the most important pending interrupt, or nil: the level of the interrupt line.
    var pendingInterrupt: UInt8? {
        if interruptEnable & InterruptEnable.lineStatus != 0, overrun { return InterruptIdentity.lineStatus }
        if interruptEnable & InterruptEnable.receivedData != 0, !receiver.isEmpty {
            let reached = !fifosEnabled || receiver.count >= triggerLevel
            return reached ? InterruptIdentity.receivedData : InterruptIdentity.characterTimeout
        }
        if interruptEnable & InterruptEnable.transmitterEmpty != 0, transmitterBecameEmpty {
            return InterruptIdentity.transmitterEmpty
        }
        if interruptEnable & InterruptEnable.modemStatus != 0, modemChanges != 0 {
            return InterruptIdentity.modemStatus
        }
        return nil
    }

    /// MSR bits 7...4 (DCD, RI, DSR, CTS): a terminal that is always there, or MCR's outputs in loopback.
    private var modemLines: UInt8 {
        guard isLoopback else { return 0xB0 }
        let dataTerminalReady = modemControl & 1
        let requestToSend = modemControl >> 1 & 1
        let outputs = modemControl >> 2 & 3
        return outputs << 6 | dataTerminalReady << 5 | requestToSend << 4
    }

    mutating func read(_ register: UInt64) -> UInt8 {
        switch register {
        case 0:
            if hasDivisorAccess { return divisorLow }
            return receiver.isEmpty ? 0 : receiver.removeFirst()
        case 1: return hasDivisorAccess ? divisorHigh : interruptEnable
        case 2:
            let identity = pendingInterrupt
            if identity == InterruptIdentity.transmitterEmpty { transmitterBecameEmpty = false }
            return (identity ?? InterruptIdentity.none) | (fifosEnabled ? InterruptIdentity.fifosEnabled : 0)
        case 3: return lineControl
        case 4: return modemControl
        case 5:
            defer { overrun = false }
            return (receiver.isEmpty ? 0 : LineStatus.dataReady) | (overrun ? LineStatus.overrun : 0)
                | (transmitter.isEmpty ? LineStatus.transmitterIdle : 0)
        case 6:
            defer { modemChanges = 0 }
            return modemLines | modemChanges
        case 7: return scratch
        default: return 0
        }
    }

    mutating func write(_ register: UInt64, _ value: UInt8) {
        switch register {
        case 0:
            if hasDivisorAccess { divisorLow = value } else { transmit(value) }
        case 1:
            if hasDivisorAccess { divisorHigh = value } else { enableInterrupts(value & 0x0F) }
        case 2: controlFIFOs(value)
        case 3: lineControl = value
        case 4: controlModem(value & 0x1F)
        case 7: scratch = value
        default: break
        }
    }

    private mutating func transmit(_ byte: UInt8) {
        if isLoopback {
            receiveLooped(byte)
            transmitterBecameEmpty = true
            return
        }
        if transmitter.count < Self.transmitLimit { transmitter.append(byte) }
        transmitterBecameEmpty = false
    }

    private mutating func receiveLooped(_ byte: UInt8) {
        if receiver.count < capacity {
            receiver.append(byte)
            return
        }
        overrun = true
        // Without FIFOs the new byte replaces the old one; a full FIFO keeps what it has.
        if !fifosEnabled { receiver[0] = byte }
    }

    private mutating func enableInterrupts(_ value: UInt8) {
        let rising = value & ~interruptEnable
        interruptEnable = value
        // Drivers rely on it that enabling the interrupt with an idle transmitter raises it, even if IIR was read before.
        if rising & InterruptEnable.transmitterEmpty != 0 { transmitterBecameEmpty = transmitter.isEmpty }
    }

    private mutating func controlFIFOs(_ value: UInt8) {
        let enable = value & 1 != 0
        if enable != fifosEnabled { receiver = [] }
        fifosEnabled = enable
        // The other bits are only programmed together with the enable bit. The transmitter's reset bit finds it empty:
        // what was written has been sent.
        guard enable else {
            triggerLevel = 1
            return
        }
        if value & 2 != 0 { receiver = [] }
        triggerLevel = [1, 4, 8, 14][Int(value >> 6)]
    }

    private mutating func controlModem(_ value: UInt8) {
        let before = modemLines
        modemControl = value
        let changed = before ^ modemLines
        // The ring indicator counts only when it ends.
        let ringEnded = before & changed & 0x40
        modemChanges |= (changed & 0xB0 | ringEnded) >> 4
    }
}
