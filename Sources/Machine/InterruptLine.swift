/// What takes interrupt lines in: an interrupt controller, or a processor's pins.
package protocol InterruptSink: AnyObject, Sendable {
    /// Sets the level of line `number`. Any thread; setting the present level again is harmless.
    func setInterrupt(_ number: Int, level: Bool)
}

/// One wire from a device to an interrupt sink.
package struct InterruptLine: Sendable {
    private let sink: any InterruptSink
    private let number: Int

    package init(sink: any InterruptSink, number: Int) {
        self.sink = sink
        self.number = number
    }

    package func set(_ level: Bool) { sink.setInterrupt(number, level: level) }
}
