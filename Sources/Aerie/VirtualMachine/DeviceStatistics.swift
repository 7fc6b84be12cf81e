internal import HostSystem
internal import VirtioDevices

/// The transfers of a machine's devices since its start, in the order of the configuration, without devices that were removed. A machine restored from a file counts anew.
public struct DeviceStatistics: Codable, Equatable, Sendable {
    /// The requests that a disk has carried out. Flushes and discards are not counted.
    public struct Disk: Codable, Equatable, Sendable {
        /// Bytes that the guest has read.
        public var readBytes: UInt64
        /// Requests to read.
        public var reads: UInt64
        /// Bytes that the guest has written.
        public var writtenBytes: UInt64
        /// Requests to write.
        public var writes: UInt64
    }

    /// The frames of a network card. Frames that were lost are not counted.
    public struct NetworkCard: Codable, Equatable, Sendable {
        /// Bytes of frames that the guest has received.
        public var receivedBytes: UInt64
        /// Frames that the guest has received.
        public var receivedFrames: UInt64
        /// Bytes of frames that the guest has sent.
        public var sentBytes: UInt64
        /// Frames that the guest has sent.
        public var sentFrames: UInt64
    }

    /// The disks of `Configuration.disks`.
    public var disks: [Disk]
    /// The cards of `Configuration.networkCards`.
    public var networkCards: [NetworkCard]
}

extension VirtualMachine {
    /// The transfers of the machine's disks and network cards until now.
    public var deviceStatistics: DeviceStatistics {
        let (disks, cards) = inventory.withLock { ($0.disks.map(\.device), $0.networkCards.map(\.device)) }
        return DeviceStatistics(
            disks: disks.map { disk in
                let figures = disk.counters.figures
                return DeviceStatistics.Disk(
                    readBytes: figures.inBytes, reads: figures.inOperations, writtenBytes: figures.outBytes,
                    writes: figures.outOperations)
            },
            networkCards: cards.map { card in
                let figures = card.counters.figures
                return DeviceStatistics.NetworkCard(
                    receivedBytes: figures.inBytes, receivedFrames: figures.inOperations, sentBytes: figures.outBytes,
                    sentFrames: figures.outOperations)
            })
    }
}
