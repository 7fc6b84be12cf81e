internal import DiskImages
internal import VirtioDevices

/// The disks and network cards that a machine has at the moment, in the order of its configuration; what is plugged in comes last.
struct Inventory {
    struct DiskPart {
        let disk: Disk
        let image: any DiskImage
        let device: BlockDevice
    }

    struct CardPart {
        let card: NetworkCard
        let device: NetworkDevice
    }

    var disks: [DiskPart]
    var networkCards: [CardPart]

    init(_ configuration: Configuration, images: [any DiskImage], _ cards: VirtioCards) {
        disks = zip(configuration.disks, zip(images, cards.disks)).map { disk, parts in
            DiskPart(disk: disk, image: parts.0, device: parts.1)
        }
        networkCards = zip(configuration.networkCards, cards.networkCards).map { CardPart(card: $0, device: $1) }
    }

    mutating func remove(slot: Int) {
        disks.removeAll { $0.disk.slot == slot }
        networkCards.removeAll { $0.card.slot == slot }
    }
}
