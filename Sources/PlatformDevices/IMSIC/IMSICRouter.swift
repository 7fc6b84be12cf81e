package import Machine

/// Carries messages of devices to the incoming MSI controllers by their addresses. Messages for other places are ignored: devices cannot reach
/// memory, nor other devices, by them.
package final class IMSICRouter: MessageSink {
    private let targets: [(base: UInt64, size: UInt64, controller: IMSIC)]

    /// - Parameter targets: the guest-physical addresses and sizes of the controllers' pages.
    package init(_ targets: [(base: UInt64, size: UInt64, controller: IMSIC)]) { self.targets = targets }

    package func send(_ message: InterruptMessage) {
        for (base, size, controller) in targets where message.address >= base && message.address - base < size {
            controller.write(offset: message.address - base, size: 4, value: UInt64(message.data))
        }
    }
}
