internal import HostSystem
internal import Machine
package import SavedState
internal import Synchronization

/// The real-time clock of a PC, an MC146818A with a century register, without interrupts. Two ports: the number of a register
/// (0x70 on a PC), and the register (0x71).
///
///     00 seconds   02 minutes   04 hours   06 day of week   07 day   08 month   09 year   32 century
///     0A divider   0B mode: bit 7 stops the clock, 2 binary instead of decimal digits, 1 24 hours   0C 0   0D 0x80, power is good
///
/// The other registers keep what is written to them.
package final class CMOSClock: MemoryMappedDevice {
    private enum Register {
        static let divider = 0x0A
        static let mode = 0x0B
        static let interrupts = 0x0C
        static let power = 0x0D
        static let century = 0x32
    }

    private static let stopped: UInt8 = 1 << 7
    private static let binary: UInt8 = 1 << 2
    private static let has24Hours: UInt8 = 1 << 1
    private static let registerCount = 128

    private struct State {
        var index: UInt8 = 0
        var registers = [UInt8](repeating: 0, count: registerCount)
        /// Seconds that the guest's time is ahead of the host's.
        var offset: Int64 = 0
        /// The time when the guest stopped the clock, with its changes since.
        var stoppedTime: CivilTime?

        init() {
            registers[Register.divider] = 0x26
            registers[Register.mode] = has24Hours
        }
    }

    package let name: String
    private let state = Mutex(State())
    private let hostSeconds: @Sendable () -> Int64

    /// - Parameter hostSeconds: seconds since 1970-01-01 UTC; the host's clock when nil.
    package init(name: String, hostSeconds: (@Sendable () -> Int64)? = nil) {
        self.name = name
        self.hostSeconds = hostSeconds ?? { Int64(HostClock.realtime() / 1_000_000_000) }
    }

    package func read(offset: UInt64, size: Int) -> UInt64 {
        guard size == 1, offset == 1 else { return 0xFF }
        return state.withLock { state in
            let index = Int(state.index)
            switch index {
            case Register.interrupts: return 0
            case Register.power: return 0x80
            default:
                guard let field = Self.field(index) else { return UInt64(state.registers[index]) }
                return UInt64(Self.encode(time(state)[keyPath: field], index, state.registers[Register.mode]))
            }
        }
    }

    package func write(offset: UInt64, size: Int, value: UInt64) {
        guard size == 1 else { return }
        let value = UInt8(truncatingIfNeeded: value)
        state.withLock { state in
            // Bit 7 of the number masks non-maskable interrupts, of which there are none.
            if offset == 0 { state.index = value & 0x7F } else { write(value, to: &state) }
        }
    }

    private func write(_ value: UInt8, to state: inout State) {
        let index = Int(state.index)
        switch index {
        case Register.interrupts, Register.power: break
        case Register.mode:
            let wasStopped = state.stoppedTime != nil
            state.registers[index] = value
            if value & Self.stopped != 0, !wasStopped {
                state.stoppedTime = time(state)
            } else if value & Self.stopped == 0, let time = state.stoppedTime {
                state.offset = time.seconds &- hostSeconds()
                state.stoppedTime = nil
            }
        default:
            guard let field = Self.field(index) else { return state.registers[index] = value }
            var time = time(state)
            time[keyPath: field] = Self.decode(value, index, state.registers[Register.mode])
            if state.stoppedTime != nil {
                state.stoppedTime = time
            } else {
                state.offset = time.seconds &- hostSeconds()
            }
        }
    }

    private func time(_ state: borrowing State) -> CivilTime {
        state.stoppedTime ?? CivilTime(seconds: hostSeconds() &+ state.offset)
    }

    // MARK: Digits

    private static func field(_ index: Int) -> WritableKeyPath<CivilTime, Int>? {
        switch index {
        case 0: \.second
        case 2: \.minute
        case 4: \.hour
        case 6: \.weekday
        case 7: \.day
        case 8: \.month
        case 9: \.yearOfCentury
        case Register.century: \.century
        default: nil
        }
    }

    private static func encode(_ value: Int, _ index: Int, _ mode: UInt8) -> UInt8 {
        let isHour = index == 4 && mode & has24Hours == 0
        let shown = isHour ? (value + 11) % 12 + 1 : value
        let digits =
            mode & binary != 0
            ? UInt8(truncatingIfNeeded: shown)
            : UInt8(truncatingIfNeeded: (shown / 10) << 4 | shown % 10)
        return isHour && value >= 12 ? digits | 0x80 : digits
    }

    private static func decode(_ value: UInt8, _ index: Int, _ mode: UInt8) -> Int {
        let isHour = index == 4 && mode & has24Hours == 0
        let digits = isHour ? value & 0x7F : value
        let number = mode & binary != 0 ? Int(digits) : Int(digits >> 4) * 10 + Int(digits & 0xF)
        return isHour ? number % 12 + (value & 0x80 != 0 ? 12 : 0) : number
    }

    // MARK: State

    /// The clock goes on over a reset, as one with a battery does.
    package func reset() {
        state.withLock { state in
            let offset = state.offset
            state = State()
            state.offset = offset
        }
    }

    package func save() throws(SavedStateError) -> SavedRecord {
        let state = state.withLock { $0 }
        var record = SavedRecord(kind: "cmos-clock", version: 1)
        record.set("index", state.index)
        record.set("registers", state.registers)
        record.set("offset", state.offset)
        record.set("isStopped", state.stoppedTime != nil)
        record.set("stoppedSeconds", state.stoppedTime?.seconds ?? 0)
        return record
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: "cmos-clock", versions: 1...1)
        var restored = State()
        restored.index = try record.integer("index", as: UInt8.self) & 0x7F
        restored.registers = try record.bytes("registers", limit: Self.registerCount)
        guard restored.registers.count == Self.registerCount else {
            throw .badField(kind: record.kind, field: "registers")
        }
        restored.offset = try record.integer("offset")
        if try record.boolean("isStopped") {
            restored.stoppedTime = CivilTime(seconds: try record.integer("stoppedSeconds"))
        }
        state.withLock { $0 = restored }
    }
}
