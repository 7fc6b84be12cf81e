package import Aerie
internal import ControlAPI

/// Adds disks and network cards to a machine that does not run, and removes them.
///
/// Where the machine has a free hot-plug slot, the device comes into it, and can be taken out of the running machine later.
package struct StoppedMachineDevices: MachineDevices {
    private let machine: Machine

    package init(_ machine: Machine) { self.machine = machine }

    /// - Throws: `usage` for a machine that runs or goes on from a saved state, and for a disk or a serial that it has; errors of the file.
    package func add(_ disk: Disk) throws(AerieError) {
        let asked = "adding disk \(disk.path)"
        try change(asked) { (configuration) throws(AerieError) in
            var disk = disk
            disk.path = HostPath.absolute(disk.path)
            if disk.slot == nil, disk.access != .discardChanges { disk.slot = try? configuration.freeSlot(for: asked) }
            var wanted = configuration
            wanted.disks.append(disk)
            try wanted.validate()
            return { [disk] in $0.disks.append(disk) }
        }
    }

    /// - Throws: as for a disk.
    package func add(_ card: NetworkCard) throws(AerieError) {
        let asked = "adding a network card"
        try change(asked) { (configuration) throws(AerieError) in
            var card = card
            if card.slot == nil { card.slot = try? configuration.freeSlot(for: asked) }
            if card.macAddress == nil { card.macAddress = freeAddress(configuration, slot: card.slot) }
            var wanted = configuration
            wanted.networkCards.append(card)
            try wanted.validate()
            return { [card] in $0.networkCards.append(card) }
        }
    }

    /// - Parameter name: the disk's serial, or the path of its file.
    /// - Throws: `usage` for a machine that runs or goes on from a saved state, for a disk that it lacks, and for its root disk.
    package func removeDisk(_ name: String) throws(AerieError) {
        let asked = "removing disk \(name)"
        try change(asked) { (configuration) throws(AerieError) in
            let removable = configuration.disks.dropFirst(machine.record.image == nil ? 0 : 1)
            guard let index = configuration.disk(named: name) else {
                throw AerieError.missing(
                    asked, "the machine has no disk with this serial or file",
                    removable: removable.map { $0.serial ?? $0.path })
            }
            guard index >= removable.startIndex else {
                throw AerieError(
                    .usage, asked: asked, found: "it is the root disk of the machine's image",
                    advice: "make another machine, of another image")
            }
            return { _ = $0.disks.remove(at: index) }
        }
    }

    /// - Parameter address: the card's MAC address.
    /// - Throws: as for a disk.
    package func removeNetworkCard(_ address: String) throws(AerieError) {
        let asked = "removing network card \(address)"
        try change(asked) { (configuration) throws(AerieError) in
            guard let index = configuration.card(address: address) else {
                throw AerieError.missing(
                    asked, "the machine has no card with this address",
                    removable: configuration.networkCards.compactMap(\.macAddress))
            }
            return { _ = $0.networkCards.remove(at: index) }
        }
    }

    /// An address that the machine's other cards have not.
    private func freeAddress(_ configuration: Configuration, slot: Int?) -> String {
        var index = 256 + (slot ?? Configuration.hotplugSlots + 1)
        while true {
            let address = NetworkCard.copyAddress(machine: machine.record.id, index: index)
            if configuration.card(address: address) == nil { return address }
            index += 1
        }
    }

    /// Changes the record while the machine can neither start nor be saved.
    private func change(
        _ asked: String, _ plan: (Configuration) throws(AerieError) -> (inout Configuration) -> Void
    ) throws(AerieError) {
        try SnapshotFiles.alone(machine) { () throws(AerieError) in
            // Whoever has the lock keeps the machine from starting.
            let lock = try MachineLock(path: machine.file(Machine.lockName))
            guard try lock.take() else {
                throw AerieError(
                    .usage, asked: asked, found: "machine '\(machine.record.name)' has just started",
                    advice: "try again, to change the running machine")
            }
            guard !machine.hasSavedState else {
                throw AerieError(
                    .usage, asked: asked,
                    found: "machine '\(machine.record.name)' goes on from a saved state, which has its devices",
                    advice: "start it first")
            }
            let change = try plan(try machine.presentDevices)
            try machine.changeDevices(change)
            withExtendedLifetime(lock) {}
        }
    }
}
