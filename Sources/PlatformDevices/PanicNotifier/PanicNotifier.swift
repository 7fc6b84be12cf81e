package import HostSystem
package import Machine
package import PCI
package import SavedState

/// The device through which a guest's kernel says that it panicked: `pvpanic` as a PCI function (QEMU, docs/specs/pvpanic.rst).
///
/// Base address register 0 has one register of 8 bits: a read gives the events that the device knows, a write reports events.
///
///     bit 0  the kernel panicked
///     bit 1  the kernel panicked, and a crash kernel is going to run
package final class PanicNotifier: PCIFunction {
    private static let panicked: UInt64 = 1
    private static let crashLoaded: UInt64 = 2
    private static let kind = "panic-notifier"

    package let name: String
    package let configuration: PCIConfiguration
    private let handler: SystemEventHandler
    private let log: Log

    /// - Parameters:
    ///   - handler: hears of `.panic`.
    ///   - log: takes the message about a panic after which the guest goes on by itself.
    package init(name: String, log: Log, handler: @escaping SystemEventHandler) {
        self.name = name
        self.handler = handler
        self.log = log
        configuration = PCIConfiguration(
            vendor: 0x1B36, device: 0x0011, revision: 1, classCode: 0x08_8000, subsystemVendor: 0x1AF4,
            subsystem: 0x1100, hasInterruptPin: false)
        configuration.addBAR(0, size: 4096)
    }

    package func read(bar: Int, offset: UInt64, size: Int) -> UInt64 {
        offset == 0 ? Self.panicked | Self.crashLoaded : 0
    }

    package func write(bar: Int, offset: UInt64, size: Int, value: UInt64) {
        guard offset == 0 else { return }
        if value & Self.panicked != 0 {
            handler(.panic)
        } else if value & Self.crashLoaded != 0 {
            log.note(
                .warning, name, cause: "crash kernel", "the guest's kernel panicked, and its crash kernel takes over")
        }
    }

    package func configurationWritten(at offset: Int, size: Int) {}
    package func configurationWillBeRead(at offset: Int, size: Int) {}
    package func connect(_ line: InterruptLine) {}

    package func reset() { configuration.reset() }

    package func save() throws(SavedStateError) -> SavedRecord {
        var record = SavedRecord(kind: Self.kind, version: 1)
        record.set("configuration", configuration.save())
        return record
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: Self.kind, versions: 1...1)
        try configuration.restore(try record.record("configuration"))
    }
}
