internal import Machine
internal import Virtio
internal import VirtioDevices

/// The virtio devices that a configuration asks for, whatever the board and its transports.
enum VirtioCards {
    /// In the order of their slots: disks, consoles, random numbers.
    ///
    /// - Parameter queueCount: how many queues devices have that may have several.
    static func make(
        _ configuration: Configuration, console: any CharacterChannel, control: any CharacterChannel, queueCount: Int
    ) throws(AerieError) -> [any VirtioDevice] {
        var cards: [any VirtioDevice] = []
        for disk in configuration.disks {
            cards.append(BlockDevice(image: try disk.open(), serial: disk.serial ?? "", queueCount: queueCount))
        }
        let channels =
            (configuration.console == .virtio ? [console] : []) + (configuration.hasControlPort ? [control] : [])
        for channel in channels { cards.append(ConsoleDevice(channel: channel)) }
        cards.append(EntropyDevice())
        return cards
    }
}
