internal import Machine
internal import Synchronization

/// A line that several functions share: high while any of them asserts it. Its inputs are slots.
final class PCIInterruptPin: InterruptSink {
    private let line: InterruptLine
    private let asserted = Mutex<UInt32>(0)

    init(_ line: InterruptLine) {
        self.line = line
    }

    func setInterrupt(_ number: Int, level: Bool) {
        asserted.withLock { asserted in
            let bit: UInt32 = 1 << UInt32(number)
            if level { asserted |= bit } else { asserted &= ~bit }
            // Under the lock, so that the line's last level belongs to the last state.
            line.set(asserted != 0)
        }
    }
}
