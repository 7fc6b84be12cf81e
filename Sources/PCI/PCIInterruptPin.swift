internal import Machine
internal import Synchronization

/// An interrupt line that several functions share: high while at least one asserts it. The inputs are numbered from 0 to 63.
final class PCIInterruptPin: InterruptSink {
    private let line: InterruptLine
    private let asserted = Mutex<UInt64>(0)

    init(_ line: InterruptLine) {
        self.line = line
    }

    func setInterrupt(_ number: Int, level: Bool) {
        asserted.withLock { asserted in
            let bit: UInt64 = 1 << UInt64(number)
            if level { asserted |= bit } else { asserted &= ~bit }
            // Under the lock, so that the line's level always matches the state.
            line.set(asserted != 0)
        }
    }
}
