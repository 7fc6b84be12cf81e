extension Configuration {
    /// How many hot-plug slots a machine with the transport `pci` has.
    public static let hotplugSlots = 4

    /// Whether the machine has its devices on PCI, where they can be plugged in while it runs.
    package var hasHotplug: Bool { (transport ?? (architecture == .x86_64 ? .pci : .mmio)) == .pci }

    static func hotplugSlot(_ text: String, _ asked: String) throws(AerieError) -> Int {
        if let slot = Int(text), (1...hotplugSlots).contains(slot) { return slot }
        throw AerieError(
            .usage, asked: asked, found: "'\(text)' is not a hot-plug slot",
            advice: "use slot=1 to slot=\(hotplugSlots)")
    }

    /// The hot-plug slots that devices of the configuration are in.
    package var usedSlots: [Int] { disks.compactMap(\.slot) + networkCards.compactMap(\.slot) }

    /// The first hot-plug slot that is free.
    ///
    /// - Parameter asked: the device that wants one.
    /// - Throws: `unavailable` when the machine has no slots, and when all are taken.
    package func freeSlot(for asked: String) throws(AerieError) -> Int {
        guard hasHotplug else { throw Self.noHotplug(asked) }
        let used = usedSlots
        if let slot = (1...Self.hotplugSlots).first(where: { !used.contains($0) }) { return slot }
        throw AerieError(
            .unavailable, asked: asked, found: "all \(Self.hotplugSlots) hot-plug slots of the machine are taken",
            advice: "remove a device that is in one")
    }

    static func noHotplug(_ asked: String) -> AerieError {
        AerieError(
            .unavailable, asked: asked, found: "the machine's devices are on virtio-mmio, which has no hot-plug",
            advice: "make the machine with --transport pci")
    }

    func validateHotplug() throws(AerieError) {
        let used = usedSlots
        guard !used.isEmpty else { return }
        guard hasHotplug else { throw Self.noHotplug("a device in a hot-plug slot") }
        for (index, slot) in used.enumerated() {
            guard (1...Self.hotplugSlots).contains(slot) else {
                throw AerieError(
                    .usage, asked: "hot-plug slot \(slot)", found: "a machine has the slots 1 to \(Self.hotplugSlots)",
                    advice: "choose one of them")
            }
            guard !used[..<index].contains(slot) else {
                throw AerieError(
                    .usage, asked: "hot-plug slot \(slot)", found: "two devices are in it", advice: "give each its own")
            }
        }
        guard disks.allSatisfy({ $0.slot == nil || $0.access != .discardChanges }) else {
            throw AerieError(
                .unavailable, asked: "a disk in a hot-plug slot", found: "its changes are thrown away",
                advice: "leave the slot out, or let it keep its changes")
        }
    }

    /// The number by which a card's process asks for its passt: it stays the same while other cards come and go.
    func serviceNumber(ofCard index: Int) -> Int {
        if let slot = networkCards[index].slot { return Self.firstSlotService &+ slot }
        return networkCards[..<index].count { $0.slot == nil }
    }

    /// Above the numbers of all cards that are in no slot.
    private static let firstSlotService = 256
}
