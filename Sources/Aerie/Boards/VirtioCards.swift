internal import DiskImages
internal import HostSystem
internal import Machine
internal import Virtio
internal import VirtioDevices

/// The virtio devices that a configuration asks for, whatever the board and its transports.
enum VirtioCards {
    /// In the order of their slots: disks, consoles, random numbers, network cards, shared folders.
    ///
    /// - Parameters:
    ///   - disks: the images of the configuration's disks.
    ///   - io: does the disks' host I/O.
    ///   - queueCount: how many queues devices have that may have several.
    ///   - log: takes messages of the cards about their networks.
    static func make(
        _ configuration: Configuration, disks: [any DiskImage], io: DiskIO, console: any CharacterChannel,
        control: any CharacterChannel, queueCount: Int, log: Log
    ) throws(AerieError) -> [any VirtioDevice] {
        var cards: [any VirtioDevice] = zip(disks, configuration.disks).map { image, disk in
            BlockDevice(image: image, io: io, serial: disk.serial ?? "", queueCount: queueCount)
        }
        let channels =
            (configuration.console == .virtio ? [console] : []) + (configuration.hasControlPort ? [control] : [])
        for channel in channels { cards.append(ConsoleDevice(channel: channel)) }
        cards.append(EntropyDevice())
        cards += try configuration.makeNetworkDevices(log)
        cards += try configuration.makeShareDevices()
        return cards
    }
}
