internal import DiskImages
internal import HostSystem
internal import Machine
internal import PCI
internal import Virtio
internal import VirtioDevices

/// Disks and network cards that a running guest gets and loses, in the hot-plug slots of a machine with the transport `pci`.
extension VirtualMachine {
    /// How long a guest may take to let go of a device by default: Linux waits for 5 s after the request in case that it is taken back.
    public static let removalLimit = Duration.seconds(60)

    /// Plugs a disk in. The guest finds it within moments if its kernel has a driver for PCI Express hot-plug.
    ///
    /// - Parameter disk: with `slot`, the disk goes into this hot-plug slot; otherwise into the first free one.
    /// - Returns: the disk with its slot.
    /// - Throws: `usage` for a disk that the machine has already, for a serial that another disk has, and for a machine that neither runs nor is
    ///   paused; `unavailable` for a machine without free slots; errors of the file.
    @discardableResult
    public func addDisk(_ disk: Disk) throws(AerieError) -> Disk {
        try addDisk(disk, nil)
    }

    /// - Parameter opened: has the disk's files open; nil opens them.
    @discardableResult
    package func addDisk(_ disk: Disk, _ opened: OpenDisk?) throws(AerieError) -> Disk {
        let asked = "adding disk \(disk.path)"
        var result = disk
        result.slot = try plug(into: disk.slot, asked) { (slots, slot, present) throws(AerieError) in
            var (wanted, disk) = (present, disk)
            disk.slot = slot
            wanted.disks.append(disk)
            try wanted.validateHotplug()
            // A process that cannot open files cannot look at them either.
            if opened == nil {
                try wanted.validateDisks()
            } else {
                try disk.validate()
                try wanted.validateSerials()
            }
            let image = try disk.open(ScratchDirectory(candidates: []), opened?.files)
            let device = BlockDevice(
                image: image, io: slots.io, serial: disk.serial ?? "", queueCount: slots.queueCount,
                rate: disk.rate.deviceRate)
            let part = Inventory.DiskPart(disk: disk, image: image, device: device)
            return (device, { $0.disks.append(part) })
        }
        return result
    }

    /// Plugs a network card in, as `addDisk` does a disk.
    ///
    /// - Returns: the card with its slot.
    /// - Throws: `usage` for an address that another card has, and as `addDisk`.
    @discardableResult
    public func addNetworkCard(_ card: NetworkCard) throws(AerieError) -> NetworkCard {
        try addNetworkCard(card, interface: nil, isChecked: false)
    }

    /// As the other one, for a process that cannot look at its host: whoever asks has done so.
    ///
    /// - Parameter interface: the open interface of a card that has one.
    package func addNetworkCard(_ card: NetworkCard, interface: OpenInterface?) throws(AerieError) {
        try addNetworkCard(card, interface: interface, isChecked: true)
    }

    @discardableResult
    private func addNetworkCard(
        _ card: NetworkCard, interface: OpenInterface?, isChecked: Bool
    ) throws(AerieError) -> NetworkCard {
        let asked = "adding a network card"
        var result = card
        result.slot = try plug(into: card.slot, asked) { (_, slot, present) throws(AerieError) in
            var (wanted, card) = (present, card)
            card.slot = slot
            wanted.networkCards.append(card)
            try wanted.validateHotplug()
            if isChecked { try wanted.validateCards() } else { try wanted.validateNetwork() }
            let device = try wanted.makeNetworkDevice(
                wanted.networkCards.count - 1, ports: [], services, interface: interface, log)
            let part = Inventory.CardPart(card: card, device: device)
            return (device, { $0.networkCards.append(part) })
        }
        return result
    }

    /// Asks the guest to let go of a disk in a hot-plug slot, waits for that, and closes its files.
    ///
    /// - Parameters:
    ///   - index: of the disk, counted as in `Configuration.disks`; what was plugged in comes last, and what was removed does not count.
    ///   - limit: the time that the guest has. After it the disk stays.
    /// - Throws: `usage` for a disk that is in no hot-plug slot, and for a machine that does not run; `unavailable` when the guest does not let go
    ///   of the disk in time.
    public func removeDisk(_ index: Int, within limit: Duration = removalLimit) throws(AerieError) {
        let disks = inventory.withLock { $0.disks.map(\.disk) }
        let asked = "removing disk \(index)"
        let slot = try Self.slot(disks.map(\.slot), index, "disks", asked)
        try unplug(slot: slot, asked, within: limit)
    }

    /// Asks the guest to let go of a network card in a hot-plug slot, and waits for that, as `removeDisk`.
    public func removeNetworkCard(_ index: Int, within limit: Duration = removalLimit) throws(AerieError) {
        let cards = inventory.withLock { $0.networkCards.map(\.card) }
        let asked = "removing network card \(index)"
        let slot = try Self.slot(cards.map(\.slot), index, "network cards", asked)
        try unplug(slot: slot, asked, within: limit)
    }

    private static func slot(
        _ slots: [Int?], _ index: Int, _ nouns: String, _ asked: String
    ) throws(AerieError) -> Int {
        guard slots.indices.contains(index) else {
            throw AerieError(
                .usage, asked: asked, found: "the machine has \(slots.count) \(nouns)", advice: "name another one")
        }
        if let slot = slots[index] { return slot }
        throw AerieError(
            .usage, asked: asked, found: "it is in no hot-plug slot, and stays as long as the machine runs",
            advice: "stop the machine")
    }

    // MARK: Plugging in

    private typealias Addition = (device: any VirtioDevice, note: (inout Inventory) -> Void)

    /// - Parameter wanted: the slot; nil for the first free one.
    private func plug(
        into wanted: Int?, _ asked: String,
        _ make: (HotplugSlots, Int, Configuration) throws(AerieError) -> Addition
    ) throws(AerieError) -> Int? {
        var slot = wanted
        try whileAlive(asked) { () throws(AerieError) in
            let slots = try hotplugSlots(asked)
            let free = (1...slots.ports.count).filter { slots.port($0)?.isFree == true }
            guard let number = slot ?? free.first, slots.port(number) != nil else {
                throw AerieError(
                    .unavailable, asked: asked,
                    found: "all \(slots.ports.count) hot-plug slots of the machine are taken",
                    advice: "remove a device that is in one")
            }
            guard free.contains(number), let port = slots.port(number) else {
                throw AerieError(
                    .usage, asked: asked, found: "hot-plug slot \(number) is taken", advice: "choose another one")
            }
            let (device, note) = try make(slots, number, presentConfiguration)
            let function = slots.makeFunction(HotplugSlots.functionName(number), device)
            do { try function.start() } catch {
                throw AerieError(.notStarted, asked: asked, found: "\(error)")
            }
            if currentState == .paused { function.pause() }
            inventory.withLock(note)
            port.plug(function)
            log.note(.info, HotplugSlots.functionName(number), cause: "plugged", "plugged into hot-plug slot \(number)")
            slot = number
        }
        return slot
    }

    private func hotplugSlots(_ asked: String) throws(AerieError) -> HotplugSlots {
        guard let slots = board.hotplug else { throw Configuration.noHotplug(asked) }
        guard !slots.ports.isEmpty else {
            throw AerieError(
                .unavailable, asked: asked, found: "the machine's other devices take the place of the hot-plug slots",
                advice: "give the machine fewer devices")
        }
        return slots
    }

    /// The configuration with the disks and network cards of this moment.
    var presentConfiguration: Configuration {
        var result = configuration
        inventory.withLock { inventory in
            result.disks = inventory.disks.map(\.disk)
            result.networkCards = inventory.networkCards.map(\.card)
        }
        return result
    }

    // MARK: Taking out

    /// Asks the guest to let go of what is in a hot-plug slot, waits for that, and gives its host resources back.
    ///
    /// - Returns: false for a slot that was empty.
    package func removeDevice(slot: Int, within limit: Duration) throws(AerieError) -> Bool {
        let asked = "removing the device in hot-plug slot \(slot)"
        if board.hotplug?.port(slot)?.isFree == true { return false }
        try unplug(slot: slot, asked, within: limit)
        return true
    }

    private func unplug(slot: Int, _ asked: String, within limit: Duration) throws(AerieError) {
        let deadline = HostClock.monotonic() &+ min(limit, .seconds(86_400)).nanoseconds
        var found: PCIRootPort?
        try whileAlive(asked) { () throws(AerieError) in
            guard let port = try hotplugSlots(asked).port(slot), !port.isFree else {
                throw AerieError(
                    .usage, asked: asked, found: "hot-plug slot \(slot) is empty", advice: "see 'aerie inspect'")
            }
            guard currentState == .running else {
                throw AerieError(
                    .usage, asked: asked, found: "the machine is paused, and its guest cannot let go of a device",
                    advice: "resume it first")
            }
            guard port.askRemoval() else {
                throw AerieError(
                    .usage, asked: asked, found: "the guest has been asked for it already",
                    advice: "wait for the end of that")
            }
            found = port
        }
        guard let port = found else { return }
        guard port.waitForRelease(until: deadline) else { throw refusal(of: port, asked, limit) }
        exclusively { takeOut(of: port, slot: slot) }
    }

    private func refusal(of port: PCIRootPort, _ asked: String, _ limit: Duration) -> AerieError {
        switch currentState {
        case .created, .starting, .running, .paused: break
        case .stopping, .ended:
            return AerieError(.unavailable, asked: asked, found: "the machine has ended before its guest let go of it")
        }
        let seconds = "\(limit.components.seconds) s"
        guard port.isListenedTo else {
            return AerieError(
                .unavailable, asked: asked,
                found: "the guest did not let go of it within \(seconds): it has no driver for its hot-plug slots",
                advice: "a Linux guest needs CONFIG_HOTPLUG_PCI_PCIE; the device stays")
        }
        return AerieError(
            .unavailable, asked: asked, found: "the guest did not let go of it within \(seconds)",
            advice: "the device stays; see to it that the guest does not use it, and try again")
    }

    /// Stops a device of which the guest has let go. No vCPU is in the midst of an access to it meanwhile.
    private func takeOut(of port: PCIRootPort, slot: Int) {
        let lifecycle = state.withLock { $0.lifecycle }
        // A machine that has ended has stopped it.
        guard lifecycle == .running || lifecycle == .paused else { return }
        if lifecycle == .running { parkProcessors() }
        let function = port.take()
        if lifecycle == .running {
            // A request that came in the meantime is served first.
            state.update { $0.permitted = $0.request == nil }
        }
        guard let function else { return }
        function.abandon()
        function.stop()
        let gone = inventory.withLock { inventory in
            defer { inventory.remove(slot: slot) }
            return inventory.disks.first { $0.disk.slot == slot }?.disk.path
        }
        // A disk that is not the machine's any more need not come back.
        state.update { state in state.handedOverDisks.removeAll { $0 == gone } }
        log.note(.info, HotplugSlots.functionName(slot), cause: "unplugged", "taken out of hot-plug slot \(slot)")
    }
}
