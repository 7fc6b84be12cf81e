package import Aerie
internal import ControlAPI

/// Plugs disks and network cards into a machine that runs, and takes them out. The machine keeps them: its record has them, too, so that the next
/// start, snapshots and copies have them.
///
/// The record changes before a device comes, and after it has gone. If the program that changes it is killed in between, the record has a device
/// that the machine lacks; a removal corrects that.
package struct MachineHotplug: MachineDevices {
    private let machine: Machine

    package init(_ machine: Machine) { self.machine = machine }

    // MARK: Coming

    /// Plugs a disk in.
    ///
    /// - Throws: `usage` for a machine that does not run, and for a disk or a serial that it has; `unavailable` when it has no free slot; errors of
    ///   the file.
    package func add(_ disk: Disk) throws(AerieError) {
        let asked = "adding disk \(disk.path)"
        try changing { (client, configuration) throws(AerieError) in
            var disk = disk
            disk.path = HostPath.absolute(disk.path)
            if disk.slot == nil { disk.slot = try configuration.freeSlot(for: asked) }
            try configuration.validateAdding(disk)
            let opened = try disk.openFiles()
            let description = try Self.encoded(disk, asked)
            let files = JSONValue.array(opened.descriptions.map { .string($0) })
            try recording(slot: disk.slot, { $0.disks.append(disk) }) { () throws(AerieError) in
                try client.call(.addDisk, ["disk": description, "files": files], files: opened.descriptors)
            }
            if let slot = disk.slot { GuestSlotDriver(machine, client)?.add(slot: slot) }
        }
    }

    /// Plugs a network card in. Without an address, it gets one that stays the same.
    ///
    /// - Throws: as for a disk; `unavailable` for a switch, which the jail of a running machine cannot reach.
    package func add(_ card: NetworkCard) throws(AerieError) {
        let asked = "adding a network card"
        try changing { (client, configuration) throws(AerieError) in
            var card = card
            let slot = if let slot = card.slot { slot } else { try configuration.freeSlot(for: asked) }
            card.slot = slot
            if card.macAddress == nil {
                // Other numbers than those of cards that were there from the start.
                card.macAddress = NetworkCard.copyAddress(machine: machine.record.id, index: 256 + slot)
            }
            try configuration.validateAdding(card)
            let interface = try card.openInterface()
            var parameters = ["card": try Self.encoded(card, asked)]
            if let interface { parameters["mtu"] = JSONValue(interface.mtu) }
            try recording(slot: slot, { $0.networkCards.append(card) }) { () throws(AerieError) in
                try client.call(.addNetworkCard, parameters, files: interface.map { [$0.descriptor] } ?? [])
            }
            let guest = GuestSlotDriver(machine, client)
            guest?.add(slot: slot)
            if let address = card.macAddress { guest?.configureCard(address) }
        }
    }

    // MARK: Going

    /// Takes a disk out, which the guest has to let go of.
    ///
    /// - Parameter name: the disk's serial, or the path of its file.
    /// - Throws: `usage` for a machine that does not run, and for a disk that it lacks or that is in no hot-plug slot; `unavailable` when the guest
    ///   does not let go of it.
    package func removeDisk(_ name: String) throws(AerieError) {
        let asked = "removing disk \(name)"
        try changing { (client, configuration) throws(AerieError) in
            guard let found = configuration.disk(named: name).map({ configuration.disks[$0] }) else {
                throw AerieError.missing(
                    asked, "the machine has no disk with this serial or file",
                    removable: configuration.disks.compactMap { $0.slot == nil ? nil : $0.serial ?? $0.path })
            }
            try remove(slot: found.slot, asked, client)
        }
    }

    /// Takes a network card out, as a disk.
    ///
    /// - Parameter address: the card's MAC address.
    package func removeNetworkCard(_ address: String) throws(AerieError) {
        let asked = "removing network card \(address)"
        try changing { (client, configuration) throws(AerieError) in
            guard let found = configuration.card(address: address).map({ configuration.networkCards[$0] }) else {
                throw AerieError.missing(
                    asked, "the machine has no card with this address",
                    removable: configuration.networkCards.compactMap { $0.slot == nil ? nil : $0.macAddress })
            }
            try remove(slot: found.slot, asked, client)
        }
    }

    private func remove(slot: Int?, _ asked: String, _ client: ControlClient) throws(AerieError) {
        guard let slot else {
            throw AerieError(
                .usage, asked: asked, found: "it is in no hot-plug slot, and stays as long as the machine runs",
                advice: "stop the machine")
        }
        let driver = GuestSlotDriver(machine, client)
        do throws(AerieError) {
            try client.begin(.removeDevice, ["slot": JSONValue(slot)])
            driver?.remove(slot: slot)
            _ = try client.awaitAnswer()
        } catch {
            throw AerieError(error.category, asked: asked, found: error.found, advice: error.advice)
        }
        try machine.changeDevices { $0.remove(slot: slot) }
    }

    // MARK: The record

    /// Calls `body` with the record's configuration while nobody saves the machine and nobody else changes its devices.
    private func changing(
        _ body: (ControlClient, Configuration) throws(AerieError) -> Void
    ) throws(AerieError) {
        try machine.requireRunning(for: "changing the devices of")
        try SnapshotFiles.alone(machine) { () throws(AerieError) in
            let configuration = try machine.presentDevices
            try body(try ControlClient(machine), configuration)
        }
    }

    /// Writes the record, and takes the change back when `body` throws.
    private func recording(
        slot: Int?, _ change: (inout Configuration) -> Void, _ body: () throws(AerieError) -> Void
    ) throws(AerieError) {
        try machine.changeDevices(change)
        do throws(AerieError) { try body() } catch {
            if let slot { try? machine.changeDevices { $0.remove(slot: slot) } }
            throw error
        }
    }

    // MARK: Parts

    private static func encoded(_ value: some Encodable, _ asked: String) throws(AerieError) -> JSONValue {
        do { return try JSONValue(encoding: value) } catch {
            throw AerieError(.internalError, asked: asked, found: "\(error)")
        }
    }
}

extension Configuration {
    fileprivate mutating func remove(slot: Int) {
        disks.removeAll { $0.slot == slot }
        networkCards.removeAll { $0.slot == slot }
    }
}
