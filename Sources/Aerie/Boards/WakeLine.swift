internal import Machine
internal import RISCV

/// The interrupt line of a device that also ends suspensions of harts, such as a clock with an alarm.
final class WakeLine: InterruptSink {
    private let interrupt: InterruptLine
    private let harts: [Hart]

    /// - Parameter interrupt: the device's line into the interrupt controller.
    init(interrupt: InterruptLine, harts: [Hart]) {
        self.interrupt = interrupt
        self.harts = harts
    }

    func setInterrupt(_ number: Int, level: Bool) {
        interrupt.set(level)
        for hart in harts { hart.setWakeLine(level) }
    }
}
