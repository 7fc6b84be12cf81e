/// A receiver of interrupt lines: an interrupt controller, or a vCPU's pins.
package protocol InterruptSink: AnyObject, Sendable {
    /// Sets the level of line `number`, on any thread. Setting the same level again has no effect.
    func setInterrupt(_ number: Int, level: Bool)
}

/// A wire from a device to an input of an interrupt sink.
package struct InterruptLine: Sendable {
    private let sink: any InterruptSink
    private let number: Int

    package init(sink: any InterruptSink, number: Int) {
        self.sink = sink
        self.number = number
    }

    package func set(_ level: Bool) { sink.setInterrupt(number, level: level) }
}
