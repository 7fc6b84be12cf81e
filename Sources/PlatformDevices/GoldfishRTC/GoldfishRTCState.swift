internal import SavedState

/// The registers of a goldfish RTC. Times are nanoseconds since 1970; arithmetic on them wraps, as the guest sets them.
///
///     offset  register         read                           write
///       0x00  TIME_LOW         low half; keeps the high half  sets the low half
///       0x04  TIME_HIGH        the high half that was kept    sets the high half
///       0x08  ALARM_LOW        low half of the alarm          sets the low half and arms the alarm
///       0x0C  ALARM_HIGH       high half of the alarm         sets the high half
///       0x10  IRQ_ENABLED      bit 0                          bit 0
///       0x14  CLEAR_ALARM                                     disarms the alarm
///       0x18  ALARM_STATUS     1 while armed
///       0x1C  CLEAR_INTERRUPT                                 withdraws the interrupt
struct GoldfishRTCState: Equatable, Sendable {
    static let kind = "goldfish-rtc"

    /// Guest time less host time.
    var offset: UInt64 = 0
    var keptHigh: UInt32 = 0
    var alarm: UInt64 = 0
    var isArmed = false
    var interruptEnabled = false
    var interruptPending = false

    var line: Bool { interruptEnabled && interruptPending }

    mutating func read(_ register: UInt64, hostTime: UInt64) -> UInt32 {
        let time = hostTime &+ offset
        switch register {
        case 0x00:
            keptHigh = UInt32(truncatingIfNeeded: time >> 32)
            return UInt32(truncatingIfNeeded: time)
        case 0x04: return keptHigh
        case 0x08: return UInt32(truncatingIfNeeded: alarm)
        case 0x0C: return UInt32(truncatingIfNeeded: alarm >> 32)
        case 0x10: return interruptEnabled ? 1 : 0
        case 0x18: return isArmed ? 1 : 0
        default: return 0
        }
    }

    mutating func write(_ register: UInt64, _ value: UInt32, hostTime: UInt64) {
        let time = hostTime &+ offset
        switch register {
        case 0x00: offset = Self.withLow(time, value) &- hostTime
        case 0x04: offset = Self.withHigh(time, value) &- hostTime
        case 0x08:
            alarm = Self.withLow(alarm, value)
            isArmed = true
        case 0x0C: alarm = Self.withHigh(alarm, value)
        case 0x10: interruptEnabled = value & 1 != 0
        case 0x14: isArmed = false
        case 0x1C: interruptPending = false
        default: break
        }
    }

    /// Nanoseconds until the alarm, 0 when it is due; nil while it is not armed.
    func timeToAlarm(hostTime: UInt64) -> UInt64? {
        guard isArmed else { return nil }
        let time = hostTime &+ offset
        return alarm > time ? alarm - time : 0
    }

    /// Turns an alarm that is due into an interrupt.
    mutating func fireIfDue(hostTime: UInt64) {
        guard timeToAlarm(hostTime: hostTime) == 0 else { return }
        isArmed = false
        interruptPending = true
    }

    private static func withLow(_ value: UInt64, _ low: UInt32) -> UInt64 {
        value & 0xFFFF_FFFF_0000_0000 | UInt64(low)
    }

    private static func withHigh(_ value: UInt64, _ high: UInt32) -> UInt64 {
        value & 0xFFFF_FFFF | UInt64(high) << 32
    }

    var saved: SavedRecord {
        var record = SavedRecord(kind: Self.kind, version: 1)
        record.set("offset", offset)
        record.set("keptHigh", keptHigh)
        record.set("alarm", alarm)
        record.set("isArmed", isArmed)
        record.set("interruptEnabled", interruptEnabled)
        record.set("interruptPending", interruptPending)
        return record
    }

    init() {}

    init(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: Self.kind, versions: 1...1)
        offset = try record.integer("offset")
        keptHigh = try record.integer("keptHigh")
        alarm = try record.integer("alarm")
        isArmed = try record.boolean("isArmed")
        interruptEnabled = try record.boolean("interruptEnabled")
        interruptPending = try record.boolean("interruptPending")
    }
}
