internal import GuestMemory
internal import HostSystem
internal import VirtioDevices

/// The guest's memory while the machine runs: a balloon in the guest takes memory away and gives it back (VIRTIO 1.2, section 5.5), and a
/// memory device adds memory (section 5.15).
extension VirtualMachine {
    /// Asks the guest to live with less memory than the machine has, or with more again, up to `MemoryGrowth.limit`. It never waits:
    /// `memoryStatistics` says how far the guest has come. A guest without a driver does nothing, a guest that runs out of memory takes some
    /// back from its balloon, and a guest may be unable to unplug memory that it uses.
    ///
    /// The target is kept over resets of the guest and over saving and restoring.
    ///
    /// - Parameter target: from 1M to the most memory of the machine, in steps of 4K.
    /// - Throws: `usage` for a size out of range, and `unavailable` for a machine that has no balloon.
    public func setMemoryTarget(_ target: ByteSize) throws(AerieError) {
        let most = ByteSize(bytes: configuration.mostMemory)
        guard (ByteSize.mebibytes(1)...most).contains(target), target.bytes % 4096 == 0 else {
            let advice =
                configuration.growthMethod == nil ? "; a machine made with --max-memory can have more" : ""
            throw AerieError(
                .usage, asked: "memory of \(target)", found: "the guest can have 1M to \(most), in steps of 4K",
                advice: "choose a size in this range\(advice)")
        }
        let start = configuration.bootMemory
        let block = MemoryDevice.blockSize
        let added =
            board.growth == nil || target.bytes <= start ? 0 : (target.bytes - start + block - 1) / block * block
        guard let balloon = board.balloon else {
            guard board.growth != nil, start + added == target.bytes else {
                throw AerieError(
                    .unavailable, asked: "memory of \(target)",
                    found: "the machine has no balloon, because other devices have all its virtio-mmio slots",
                    advice: "use the transport pci")
            }
            board.growth?.request(added)
            return
        }
        board.growth?.request(added)
        balloon.request(start + added - target.bytes)
    }

    /// Replaces the memory policy until the machine's end. Memory that the guest has lent under the old policy comes back to it if the new one
    /// lends none. It never waits.
    ///
    /// - Throws: `usage` for an idle time out of range, and `unavailable` for a policy that lends memory where the machine has no balloon, or
    ///   the host does not say how much memory it has. The old policy holds then.
    public func setMemoryPolicy(_ policy: MemoryPolicy) throws(AerieError) {
        try policy.validate()
        try memoryKeeper.set(policy)
        do {
            try state.update { state in
                // `launch` starts the thread of a created machine, and one that ends needs none.
                guard [.starting, .running, .paused].contains(state.lifecycle) else { return }
                if let thread = try memoryKeeper.startIfNeeded() { state.processorThreads.append(thread) }
            }
        } catch { throw AerieError(.unavailable, asked: "another memory policy", found: "\(error)") }
    }

    static func memoryKeeper(
        _ configuration: Configuration, _ services: HostServices, _ board: any Board, _ log: Log
    ) throws(AerieError) -> MemoryKeeper {
        try MemoryKeeper(
            configuration.memoryPolicy ?? MemoryPolicy(), services.memoryFiles ?? .host, memory: board.memory,
            growth: board.growth, balloon: board.balloon, log: log)
    }

    /// The state of the guest's memory. Each call also asks the guest for new figures, so that `guest` is as old as the call before.
    public var memoryStatistics: MemoryStatistics {
        let growth = board.growth?.status
        let status = board.balloon?.status
        board.balloon?.refreshStatistics()
        let start = configuration.bootMemory
        let wanted = start + (growth?.requested ?? 0)
        let size = start + (growth?.plugged ?? 0)
        return MemoryStatistics(
            size: ByteSize(bytes: size), maximum: ByteSize(bytes: configuration.mostMemory),
            target: ByteSize(bytes: wanted - min(status?.requested ?? 0, wanted)),
            // The guest says how much its balloon has.
            current: ByteSize(bytes: size - min(status?.actual ?? 0, size)),
            resident: ByteSize(bytes: board.memory.residentSize), returned: ByteSize(bytes: status?.returned ?? 0),
            guest: status?.statistics.map { MemoryStatistics.Guest($0) })
    }
}
