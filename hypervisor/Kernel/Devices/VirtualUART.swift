/// A guest's 16550A: what it sends goes to the console, what the console gets for it waits in a ring of 64 bytes.
struct VirtualUART {
    static let address: UInt64 = 0x1000_0000
    static let interrupt = 10

    private var ring = InlineArray<64, UInt8>(repeating: 0)
    private var first = 0
    private var count = 0
    private var interruptEnable: UInt8 = 0
    private var lineControl: UInt8 = 0
    private var modemControl: UInt8 = 0
    private var scratch: UInt8 = 0
    private var divisor: (UInt8, UInt8) = (1, 0)
    /// The transmitter became empty and the driver does not know yet.
    private var isEmptyPending = false

    private var hasDivisorAccess: Bool { lineControl & 0x80 != 0 }

    /// The level of its interrupt.
    var level: Bool { interruptEnable & 1 != 0 && count > 0 || interruptEnable & 2 != 0 && isEmptyPending }

    /// Input; what finds the ring full is lost, as in the device.
    mutating func receive(_ byte: UInt8) {
        guard count < 64 else { return }
        ring[(first + count) & 63] = byte
        count += 1
    }

    mutating func load(_ register: UInt64) -> UInt8 {
        switch register {
        case 0:
            if hasDivisorAccess { return divisor.0 }
            return take() ?? 0
        case 1: return hasDivisorAccess ? divisor.1 : interruptEnable
        case 2:
            if interruptEnable & 1 != 0, count > 0 { return 0xc4 }
            if interruptEnable & 2 != 0, isEmptyPending {
                isEmptyPending = false
                return 0xc2
            }
            return 0xc1
        case 3: return lineControl
        case 4: return modemControl
        case 5: return 0x60 | (count > 0 ? 1 : 0)
        case 6: return 0xb0
        default: return scratch
        }
    }

    /// - Returns: a byte to send.
    mutating func store(_ register: UInt64, _ value: UInt8) -> UInt8? {
        switch register {
        case 0 where hasDivisorAccess: divisor.0 = value
        case 0:
            isEmptyPending = true
            return value
        case 1 where hasDivisorAccess: divisor.1 = value
        case 1:
            if value & 2 != 0, interruptEnable & 2 == 0 { isEmptyPending = true }
            interruptEnable = value & 15
        case 2: if value & 2 != 0 { count = 0 }
        case 3: lineControl = value
        case 4: modemControl = value
        case 7: scratch = value
        default: break
        }
        return nil
    }

    /// The oldest byte of the input.
    mutating func take() -> UInt8? {
        guard count > 0 else { return nil }
        let byte = ring[first]
        first = (first + 1) & 63
        count -= 1
        return byte
    }
}
