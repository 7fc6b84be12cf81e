internal import DiskImages
internal import HostSystem
internal import Machine
internal import Virtio
internal import VirtioDevices

/// The virtio devices that a configuration asks for, whatever the board and its transports.
struct VirtioCards {
    /// In the order of their slots: disks, consoles, random numbers, network cards, shared folders, sockets, the memory
    /// device, the balloon.
    let devices: [any VirtioDevice]
    /// The devices that begin in hot-plug slots, and are not among `devices`.
    let plugged: [(slot: Int, device: any VirtioDevice)]
    /// How many queues devices have that may have several.
    let queueCount: Int
    /// All disks and network cards, in the order of the configuration.
    let disks: [BlockDevice]
    let networkCards: [NetworkDevice]
    /// Nil for a machine whose memory does not grow by hotplug.
    let growth: MemoryDevice?
    /// Nil where no slot was left for it.
    let balloon: BalloonDevice?

    /// - Parameters:
    ///   - disks: the images of the configuration's disks.
    ///   - region: of the guest's memory, for the memory device.
    ///   - io: does the disks' host I/O.
    ///   - services: what other processes do on the host for the machine.
    ///   - queueCount: how many queues devices have that may have several.
    ///   - slots: how many devices the board has room for.
    ///   - log: takes messages of the cards about their networks.
    init(
        _ configuration: Configuration, disks: [any DiskImage], region: (base: UInt64, size: UInt64)?, io: DiskIO,
        console: any CharacterChannel,
        control: any CharacterChannel, services: HostServices, queueCount: Int, slots: Int, log: Log
    ) throws(AerieError) {
        self.queueCount = queueCount
        self.disks = zip(disks, configuration.disks).map { image, disk in
            BlockDevice(
                image: image, io: io, serial: disk.serial ?? "", queueCount: queueCount, rate: disk.rate.deviceRate)
        }
        networkCards = try configuration.makeNetworkDevices(services, log)
        let numbers = configuration.disks.map(\.slot) + configuration.networkCards.map(\.slot)
        plugged = zip(numbers, self.disks as [any VirtioDevice] + networkCards).compactMap { slot, device in
            slot.map { ($0, device) }
        }
        var cards: [any VirtioDevice] = zip(self.disks, configuration.disks).filter { $1.slot == nil }.map(\.0)
        let channels =
            (configuration.console == .virtio ? [console] : []) + (configuration.hasControlPort ? [control] : [])
        for channel in channels { cards.append(ConsoleDevice(channel: channel)) }
        cards.append(EntropyDevice())
        cards += zip(networkCards, configuration.networkCards).filter { $1.slot == nil }.map(\.0)
        cards += try configuration.makeShareDevices()
        if let sockets = configuration.sockets { cards.append(try sockets.makeDevice(services, log)) }
        growth = region.map { MemoryDevice(base: $0.base, size: $0.size) }
        if let growth { cards.append(growth) }
        balloon = cards.count < slots ? BalloonDevice() : nil
        devices = cards + (balloon.map { [$0] } ?? [])
    }
}
