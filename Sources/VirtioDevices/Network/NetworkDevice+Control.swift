internal import HostNetwork
internal import Synchronization
internal import Virtio

// The control queue (VIRTIO 1.2, section 5.1.6.5). A command has a class, a number, and data; the answer is 0 or, for an error, 1.
extension NetworkDevice {
    func control(_ chain: DescriptorChain, _ session: VirtioSession) -> RequestProgress {
        let command = chain.readable.bytes(count: 1 << 16, in: session.memory)
        guard chain.writable.count > 0 else { return .done(written: 0) }
        let before = filter.address
        let isDone = command.count >= 2 && carryOut(class: command[0], command[1], command[2...], session)
        chain.writable.write([isDone ? 0 : 1], in: session.memory)
        announceRenewal(from: before, session)
        return .done(written: 1)
    }

    /// A copy whose driver has taken its own address announces that: the network may have learned the old one, and the guest need not send
    /// anything by itself.
    private func announceRenewal(from before: MACAddress, _ session: VirtioSession) {
        guard filter.address != before, filter.address == link.withLock(\.address),
            session.has(NetworkFeature.announcement)
        else { return }
        changeLink { $0.mustAnnounce = true }
        service?.wake()
    }

    private func carryOut(
        class kind: UInt8, _ command: UInt8, _ data: ArraySlice<UInt8>, _ session: VirtioSession
    ) -> Bool {
        switch (kind, command) {
        case (0, _):
            guard let isOn = data.first else { return false }
            return filter.setMode(command, isOn != 0)
        case (1, 0): return filter.setTables(data)
        case (1, 1):
            guard let address = MACAddress(data), !address.isMulticast else { return false }
            filter.address = address
            return true
        case (3, 0):
            link.withLock { $0.mustAnnounce = false }
            return true
        case (4, 0): return session.has(NetworkFeature.multiQueue) && usePairs(data)
        default: return false
        }
    }

    /// The number of pairs that the driver uses, in 2 bytes, little endian (section 5.1.6.5.5).
    private func usePairs(_ data: ArraySlice<UInt8>) -> Bool {
        let bytes = Array(data.prefix(2))
        guard bytes.count == 2 else { return false }
        let count = Int(bytes[0]) | Int(bytes[1]) << 8
        guard (1...pairCount).contains(count) else { return false }
        setActivePairs(count)
        // Frames that waited for a pair that is not used any more go elsewhere.
        service?.wake()
        return true
    }

    func setActivePairs(_ count: Int) {
        activePairs = count
        backend.useQueues(min(count, backend.queueCount))
    }
}
