internal import DiskImages
internal import HostSystem
internal import Machine
internal import PCI
internal import Virtio

/// The hot-plug slots of a board, and what it takes to make functions for them.
struct HotplugSlots: Sendable {
    /// The root ports in the order of their slots; slot 1 is the first.
    let ports: [PCIRootPort]
    /// Does the I/O of disks.
    let io: DiskIO
    /// How many queues devices have that may have several.
    let queueCount: Int
    /// Puts a virtio device behind the registers of a function, with this name in the log.
    let makeFunction: @Sendable (_ name: String, _ device: any VirtioDevice) -> any PCIFunction

    /// The ports of a bus with so many functions; none where these take the ports' place.
    static func makePorts(besides count: Int, messages: (any MessageSink)?) -> [PCIRootPort] {
        guard PCIHost.hasRoomForPorts(functions: count) else { return [] }
        return (1...Configuration.hotplugSlots).map { slot in
            PCIRootPort(name: "\(portName)\(slot)", slot: slot, messages: messages)
        }
    }

    /// The beginning of the ports' names, which are keys of the saved state.
    static let portName = "pci-port"

    /// The name of the function in a slot.
    static func functionName(_ slot: Int) -> String { "virtio-slot\(slot)" }

    /// The port of a slot; nil for a slot that the board lacks.
    func port(_ slot: Int) -> PCIRootPort? {
        (1...Configuration.hotplugSlots).contains(slot) ? ports.dropFirst(slot - 1).first : nil
    }

    /// Puts devices into their slots before the machine starts.
    func insert(_ devices: [(slot: Int, device: any VirtioDevice)]) throws(AerieError) {
        for (slot, device) in devices {
            guard let port = port(slot) else {
                throw AerieError(
                    .usage, asked: "a device in hot-plug slot \(slot)",
                    found: ports.isEmpty
                        ? "the machine's other devices leave no room for the slots"
                        : "the machine has the slots 1 to \(ports.count)", advice: "leave the slot out")
            }
            port.insert(makeFunction(Self.functionName(slot), device))
        }
    }
}
