package import Machine
package import SavedState
internal import Synchronization

/// The machine-level timer and software interrupts of the harts (RISC-V ACLINT Specification: MSWI and MTIMER), in the
/// layout of a SiFive CLINT.
///
///     offset  registers
///     0x0000  msip of each hart, 32 bits; bit 0 is the interrupt
///     0x4000  mtimecmp of each hart, 64 bits
///     0xBFF8  mtime, 64 bits
///
/// mtime is the machine's time base, and so is every hart's `time` CSR, which must agree with it: a write sets the time of
/// the whole machine, and is saved with it. At reset mtime is 0 and mtimecmp the highest value.
///
/// Locks: timers and lines are set with the device's lock held, so that they arrive in order; harts do not call back.
package final class ACLINT: MemoryMappedDevice {
    package static let size: UInt64 = 0x1_0000
    /// Harts that the layout has room for.
    package static let maximumHarts = 4095

    /// Where a hart takes its interrupts.
    package struct Hart: Sendable {
        let timer: any TimerTarget
        let softwareInterrupt: InterruptLine

        package init(timer: any TimerTarget, softwareInterrupt: InterruptLine) {
            self.timer = timer
            self.softwareInterrupt = softwareInterrupt
        }
    }

    package let name: String
    private let timeBase: TimeBase
    private let harts: [Hart]
    private let state: Mutex<ACLINTState>

    package init(name: String, timeBase: TimeBase, harts: [Hart]) {
        precondition(harts.count <= Self.maximumHarts, "an ACLINT serves up to 4095 harts")
        self.name = name
        self.timeBase = timeBase
        self.harts = harts
        state = Mutex(ACLINTState(harts: harts.count))
    }

    package func read(offset: UInt64, size: Int) -> UInt64 {
        if size == 8, offset % 8 == 0 {
            // Whole, so that neither half belongs to another moment.
            if offset == Self.timeOffset { return timeBase.now }
            if let hart = compareHart(offset) { return state.withLock { $0.timeCompare[hart] } }
        }
        return WordAccess.read(offset: offset, size: size, load)
    }

    package func write(offset: UInt64, size: Int, value: UInt64) {
        if size == 8, offset % 8 == 0 {
            // Whole, so that no half-written comparison or time raises an interrupt.
            if offset == Self.timeOffset { return setTime { $0 = value } }
            if let hart = compareHart(offset) { return setTimer(hart) { $0 = value } }
        }
        WordAccess.write(offset: offset, size: size, value: value, store)
    }

    private static let compareOffset: UInt64 = 0x4000
    private static let timeOffset: UInt64 = 0xBFF8

    private func compareHart(_ offset: UInt64) -> Int? {
        guard (Self.compareOffset..<Self.timeOffset).contains(offset) else { return nil }
        let hart = Int(offset - Self.compareOffset) / 8
        return hart < harts.count ? hart : nil
    }

    private func softwareHart(_ offset: UInt64) -> Int? {
        let hart = Int(truncatingIfNeeded: offset / 4)
        return offset < Self.compareOffset && hart < harts.count ? hart : nil
    }

    private func load(_ offset: UInt64) -> UInt32 {
        let upper = offset % 8 == 4
        if let hart = softwareHart(offset) {
            return state.withLock { $0.softwareInterrupts[hart] ? 1 : 0 }
        }
        if let hart = compareHart(offset) {
            let value = state.withLock { $0.timeCompare[hart] }
            return UInt32(truncatingIfNeeded: upper ? value >> 32 : value)
        }
        guard offset & ~4 == Self.timeOffset else { return 0 }
        return UInt32(truncatingIfNeeded: upper ? timeBase.now >> 32 : timeBase.now)
    }

    private func store(_ offset: UInt64, _ value: UInt32) {
        if let hart = softwareHart(offset) {
            state.withLock { state in
                state.softwareInterrupts[hart] = value & 1 != 0
                harts[hart].softwareInterrupt.set(state.softwareInterrupts[hart])
            }
        } else if let hart = compareHart(offset) {
            setTimer(hart) { Self.replaceHalf(of: &$0, at: offset, value) }
        } else if offset & ~4 == Self.timeOffset {
            setTime { Self.replaceHalf(of: &$0, at: offset, value) }
        }
    }

    private static func replaceHalf(of register: inout UInt64, at offset: UInt64, _ value: UInt32) {
        register =
            offset % 8 == 4
            ? register & 0xFFFF_FFFF | UInt64(value) << 32
            : register & 0xFFFF_FFFF_0000_0000 | UInt64(value)
    }

    private func setTime(_ change: (inout UInt64) -> Void) {
        state.withLock { state in
            var time = timeBase.now
            change(&time)
            timeBase.set(time)
            // What is due by the new time, and when a sleeping hart has to wake up, is for each timer to find out anew.
            for (index, hart) in harts.enumerated() { hart.timer.setMachineTimer(state.timeCompare[index]) }
        }
    }

    private func setTimer(_ hart: Int, _ change: (inout UInt64) -> Void) {
        state.withLock { state in
            change(&state.timeCompare[hart])
            harts[hart].timer.setMachineTimer(state.timeCompare[hart])
        }
    }

    // MARK: Lifecycle

    package func start() { resume() }

    package func resume() {
        state.withLock { state in
            for (index, hart) in harts.enumerated() {
                hart.timer.setMachineTimer(state.timeCompare[index])
                hart.softwareInterrupt.set(state.softwareInterrupts[index])
            }
        }
    }

    package func reset() {
        state.withLock { state in
            state = ACLINTState(harts: harts.count)
            timeBase.set(0)
        }
    }

    package func save() throws(SavedStateError) -> SavedRecord {
        state.withLock { $0.saved }
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        let restored = try ACLINTState(record, harts: harts.count)
        state.withLock { $0 = restored }
    }
}
