public import Aerie
internal import ControlAPI
internal import HostSystem
package import Runtime

/// What a running machine has used of its host until one moment. Two of them make rates.
public struct MachineStatistics: Equatable, Sendable {
    /// The moment, in nanoseconds of the host's monotonic clock.
    public let time: UInt64
    /// The processor time of all threads of the machine's process since its start, in nanoseconds: vCPUs, devices and translator.
    public let processorTime: UInt64
    /// The memory of the machine's process without the guest's memory.
    public let ownMemory: ByteSize
    /// The guest's memory; nil for a machine that does not answer, because it starts or ends.
    public let memory: MemoryStatistics?
    /// The transfers of disks and network cards since the machine's start; nil as `memory`.
    public let devices: DeviceStatistics?

    /// Reads a machine's figures, and asks its process. Blocks while the process does not answer.
    ///
    /// - Returns: nil when the machine has no process that runs its guest, or it ends meanwhile.
    package init?(_ machine: Machine) {
        let status = machine.status
        guard status.state == .running || status.state == .paused, status.process > 0,
            let usage = ProcessUsage(of: status.process)
        else { return nil }
        processorTime = usage.processorTime
        ownMemory = ByteSize(bytes: usage.ownMemory)
        time = HostClock.monotonic()
        let answer = try? ControlClient(machine, limit: 5).call(.statistics)
        memory = try? answer?["memory"]?.decode(MemoryStatistics.self)
        devices = try? answer?["devices"]?.decode(DeviceStatistics.self)
    }

    /// The machine's use of its host between an earlier moment and this one.
    ///
    /// - Returns: nil when both are the same moment or of two runs of a machine.
    public func rates(since earlier: MachineStatistics) -> MachineRates? {
        guard time > earlier.time, processorTime >= earlier.processorTime else { return nil }
        let seconds = Double(time - earlier.time) / 1e9
        func rate(_ first: UInt64, _ last: UInt64) -> Double { Double(last >= first ? last - first : 0) / seconds }
        var rates = MachineRates(cpu: rate(earlier.processorTime, processorTime) / 1e7)
        for (old, new) in zip(earlier.devices?.disks ?? [], devices?.disks ?? []) {
            rates.disks.readBytes += rate(old.readBytes, new.readBytes)
            rates.disks.reads += rate(old.reads, new.reads)
            rates.disks.writtenBytes += rate(old.writtenBytes, new.writtenBytes)
            rates.disks.writes += rate(old.writes, new.writes)
        }
        for (old, new) in zip(earlier.devices?.networkCards ?? [], devices?.networkCards ?? []) {
            rates.networkCards.readBytes += rate(old.receivedBytes, new.receivedBytes)
            rates.networkCards.reads += rate(old.receivedFrames, new.receivedFrames)
            rates.networkCards.writtenBytes += rate(old.sentBytes, new.sentBytes)
            rates.networkCards.writes += rate(old.sentFrames, new.sentFrames)
        }
        return rates
    }
}

/// A machine's use of its host between two moments.
public struct MachineRates: Equatable, Sendable {
    /// Transfers in a second.
    public struct Transfers: Codable, Equatable, Sendable {
        /// Bytes that the guest has read or received, in a second.
        public var readBytes = 0.0
        /// Requests to read, or received frames, in a second.
        public var reads = 0.0
        /// Bytes that the guest has written or sent, in a second.
        public var writtenBytes = 0.0
        /// Requests to write, or sent frames, in a second.
        public var writes = 0.0
    }

    /// Processor time in percent of one processor; 250 is two and a half.
    public var cpu: Double
    /// All disks together.
    public var disks = Transfers()
    /// All network cards together.
    public var networkCards = Transfers()
}

/// The statistics of a machine again and again, until it ends or the task is cancelled.
public struct StatisticsSequence: AsyncSequence, Sendable {
    let machine: Machine
    let interval: Duration

    /// Takes a machine's statistics with a pause before each but the first.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let machine: Machine
        let interval: Duration
        var hasBegun = false

        /// The next statistics; nil when the machine has ended.
        public mutating func next() async -> MachineStatistics? {
            if hasBegun {
                do { try await Task.sleep(for: interval) } catch { return nil }
            }
            hasBegun = true
            return try? await BlockingWork.run("statistics") { [machine] in MachineStatistics(machine) }
        }
    }

    /// Begins with the statistics of now.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(machine: machine, interval: interval) }
}
