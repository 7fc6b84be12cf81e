package import GuestMemory
package import HostSystem
package import Machine
package import PCI
package import SavedState

/// A virtio device as a PCI function (VIRTIO 1.2, section 4.1): modern only.
///
/// Base address register 0, of 64 bits, has the structures that the capabilities lead to, register 2 the messages' table:
///
///     0000  common configuration      2000  the device's configuration
///     1000  ISR status                3000  notifications, 4 bytes for each queue
package final class VirtioPCITransport: PCIFunction {
    enum Structure {
        static let common: UInt64 = 0x0000
        static let status: UInt64 = 0x1000
        static let device: UInt64 = 0x2000
        static let notifications: UInt64 = 0x3000
        static let stride: UInt64 = 0x1000
    }

    private static let vendor: UInt16 = 0x1AF4
    private static let firstDevice: UInt16 = 0x1040
    private static let registersBAR = 0
    private static let messagesBAR = 2
    private static let registersSize: UInt32 = 0x4000
    static let notificationStride: UInt32 = 4

    package let name: String
    package let configuration: PCIConfiguration
    let core: VirtioTransportCore
    let signals: PCISignals
    private let messages: MSIXTable?
    private let notifiers: QueueNotifiers?
    private let messagesOffset: Int?
    /// Where the window into the registers is in configuration space (section 4.1.4.9).
    private let windowOffset: Int

    package var device: any VirtioDevice { core.device }

    /// Puts `device` behind registers; the transport is the only user of it from then on.
    ///
    /// - Parameters:
    ///   - messages: where message-signalled interrupts go; nil leaves the interrupt pin only.
    ///   - notifiers: connects the queues' event notifiers, so that a notification does not exit to this process; nil for an engine
    ///     that cannot do so.
    ///   - isExpress: whether the function is behind a root port, where it is a PCI Express endpoint.
    ///   - loop: where the device serves its queues; it runs from before `start` until after `stop`.
    ///   - log: takes the reasons for which the device needs a reset.
    package init(
        name: String, device: any VirtioDevice, memory: GuestMemory, messages sink: (any MessageSink)?,
        notifiers board: (any IOEventBoard)? = nil, isExpress: Bool = false, loop: EventLoop, log: Log = .silent
    ) {
        self.name = name
        let type = UInt16(device.type.rawValue)
        configuration = PCIConfiguration(
            vendor: Self.vendor, device: Self.firstDevice + type, revision: 1,
            classCode: Self.classCode(of: device.type), subsystemVendor: Self.vendor,
            subsystem: Self.firstDevice + type, hasInterruptPin: true)
        let queueCount = device.queueSizes.count
        // One for each queue, and one for changes of the configuration.
        messages = sink.map { MSIXTable(count: min(queueCount + 1, MSIXTable.mostVectors), sink: $0) }
        signals = PCISignals(queueCount: queueCount, messages: messages, configuration: configuration)
        let core = VirtioTransportCore(
            name: name, device: device, memory: memory, signals: signals, loop: loop, log: log)
        self.core = core
        notifiers = board.map { board in
            QueueNotifiers(board: board, notifiers: (0..<queueCount).map(core.service.notifier))
        }
        configuration.addBAR(Self.registersBAR, size: Self.registersSize, kind: .wide)
        windowOffset = Self.addCapabilities(to: configuration, queueCount: queueCount)
        if let messages {
            configuration.addBAR(Self.messagesBAR, size: MSIXTable.registersSize)
            let (body, writable) = messages.capability(bar: Self.messagesBAR)
            messagesOffset = configuration.addCapability(MSIXTable.identifier, body, writable: writable)
        } else {
            messagesOffset = nil
        }
        if isExpress { configuration.addExpressEndpoint() }
    }

    private static func classCode(of type: VirtioDeviceType) -> UInt32 {
        switch type {
        // As QEMU has them; drivers go by vendor and device.
        case .block: 0x01_0000
        case .network: 0x02_0000
        case .console: 0x07_8000
        default: 0x00_FF00
        }
    }

    /// Vendor capabilities: length, type, register, 3 bytes unused, offset, length of the structure, and what the type adds.
    private static func addCapabilities(to configuration: PCIConfiguration, queueCount: Int) -> Int {
        func word(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) } }
        func add(_ type: UInt8, _ offset: UInt64, _ length: UInt32, _ extra: [UInt8] = [], writable: [UInt8] = [])
            -> Int
        {
            let body =
                [UInt8(16 + extra.count), type, UInt8(registersBAR), 0, 0, 0] + word(UInt32(offset)) + word(length)
            return configuration.addCapability(0x09, body + extra, writable: writable)
        }
        _ = add(1, Structure.common, 0x40)
        _ = add(2, Structure.notifications, notificationStride * UInt32(queueCount), word(notificationStride))
        _ = add(3, Structure.status, 1)
        _ = add(4, Structure.device, UInt32(Structure.stride))
        let all = [UInt8](repeating: 0xFF, count: 4)
        return add(5, 0, 0, word(0), writable: [0, 0, 0xFF, 0, 0, 0] + all + all + all)
    }

    // MARK: PCI

    package func connect(_ line: InterruptLine) { signals.connect(line) }

    package func configurationWritten(at offset: Int, size: Int) {
        if let messagesOffset, overlaps(offset, size, messagesOffset + 2, 2) {
            messages?.control(UInt16(truncatingIfNeeded: configuration.read(at: messagesOffset + 2, size: 2)))
            signals.driveLine()
        }
        if overlaps(offset, size, 4, 2) { signals.driveLine() }
        // The registers' base address takes two words.
        if overlaps(offset, size, 4, 2) || overlaps(offset, size, 0x10 + 4 * Self.registersBAR, 8) { moveNotifiers() }
        if overlaps(offset, size, windowOffset + 16, 4), let window = window {
            let value = configuration.read(at: windowOffset + 16, size: window.size)
            write(bar: window.bar, offset: window.offset, size: window.size, value: value)
        }
    }

    package func configurationWillBeRead(at offset: Int, size: Int) {
        guard overlaps(offset, size, windowOffset + 16, 4), let window = window else { return }
        let value = read(bar: window.bar, offset: window.offset, size: window.size)
        configuration.set(
            (0..<window.size).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }, at: windowOffset + 16)
    }

    /// What the window of the configuration space shows: 1, 2 or 4 aligned bytes of a register that exists.
    private var window: (bar: Int, offset: UInt64, size: Int)? {
        let bar = Int(configuration.read(at: windowOffset + 4, size: 1))
        let offset = configuration.read(at: windowOffset + 8, size: 4)
        let size = configuration.read(at: windowOffset + 12, size: 4)
        guard bar == Self.registersBAR, [1, 2, 4].contains(size), offset % size == 0,
            offset + size <= UInt64(Self.registersSize)
        else { return nil }
        return (bar, offset, Int(size))
    }

    private func overlaps(_ offset: Int, _ size: Int, _ start: Int, _ count: Int) -> Bool {
        offset < start + count && start < offset + size
    }

    package func read(bar: Int, offset: UInt64, size: Int) -> UInt64 {
        bar == Self.messagesBAR ? messages?.read(offset: offset, size: size) ?? 0 : readRegister(offset, size)
    }

    package func write(bar: Int, offset: UInt64, size: Int, value: UInt64) {
        if bar == Self.messagesBAR {
            messages?.write(offset: offset, size: size, value: value)
        } else {
            writeRegister(offset, size, value)
        }
    }

    private func moveNotifiers() {
        notifiers?.move(stride: UInt64(Self.notificationStride)) {
            configuration.address(ofBAR: Self.registersBAR).map { $0 + Structure.notifications }
        }
    }

    // MARK: Lifecycle

    package func start() throws { try core.start() }
    package func abandon() { core.abandon() }
    package func pause() { core.pause() }
    package func resume() { core.resume() }
    package func stop() { core.stop() }

    package func reset() {
        configuration.reset()
        moveNotifiers()
        messages?.reset()
        core.reset()
    }

    package func resetByGuest() {
        configuration.reset()
        moveNotifiers()
        messages?.reset()
        core.writeStatus(0)
    }

    package func save() throws(SavedStateError) -> SavedRecord {
        var record = SavedRecord(kind: "virtio-pci", version: 1)
        record.set("configuration", configuration.save())
        record.set("hasMessages", messages != nil)
        if let messages { record.set("messages", messages.save()) }
        try core.save(into: &record)
        return record
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: "virtio-pci", versions: 1...1)
        guard try record.boolean("hasMessages") == (messages != nil) else {
            throw .badField(kind: record.kind, field: "hasMessages")
        }
        try configuration.restore(try record.record("configuration"))
        moveNotifiers()
        try messages?.restore(try record.record("messages"))
        try core.restore(record)
    }
}
