internal import Aerie
internal import ControlAPI
internal import Runtime

/// The use of a running machine between two samples, as `aerie stats` shows it. Rates are per second.
struct MachineFigures: Encodable {
    struct Transfers: Encodable {
        var readBytes = 0.0
        var reads = 0.0
        var writtenBytes = 0.0
        var writes = 0.0
    }

    struct Memory: Encodable {
        /// Bytes of the machine's process without the guest's memory.
        let own: UInt64
        /// Bytes of the guest's memory that the host has allocated; nil while the machine does not answer.
        let guest: UInt64?
        /// Bytes that the guest has.
        let current: UInt64?
        /// Bytes that the guest's programs could have; nil until its driver reports it.
        let available: UInt64?
    }

    let id: String
    let name: String
    /// Percent of one processor.
    let cpu: Double
    let memory: Memory
    /// All disks together.
    let disk: Transfers
    /// All network cards together; reads are frames that the guest received.
    let network: Transfers

    /// Nil when the samples are of two runs of a machine.
    init?(from first: MachineSample, to last: MachineSample) {
        guard last.time > first.time, last.usage.processorTime >= first.usage.processorTime else { return nil }
        let seconds = Double(last.time - first.time) / 1e9
        func rate(_ first: UInt64, _ last: UInt64) -> Double { Double(last >= first ? last - first : 0) / seconds }
        id = last.machine.record.id
        name = last.machine.record.name
        cpu = rate(first.usage.processorTime, last.usage.processorTime) / 1e7
        memory = Memory(
            own: last.usage.ownMemory, guest: last.memory?.resident.bytes, current: last.memory?.current.bytes,
            available: last.memory?.guest?.available?.bytes)
        var disk = Transfers()
        for (old, new) in zip(first.devices?.disks ?? [], last.devices?.disks ?? []) {
            disk.readBytes += rate(old.readBytes, new.readBytes)
            disk.reads += rate(old.reads, new.reads)
            disk.writtenBytes += rate(old.writtenBytes, new.writtenBytes)
            disk.writes += rate(old.writes, new.writes)
        }
        self.disk = disk
        var network = Transfers()
        for (old, new) in zip(first.devices?.networkCards ?? [], last.devices?.networkCards ?? []) {
            network.readBytes += rate(old.receivedBytes, new.receivedBytes)
            network.reads += rate(old.receivedFrames, new.receivedFrames)
            network.writtenBytes += rate(old.sentBytes, new.sentBytes)
            network.writes += rate(old.sentFrames, new.sentFrames)
        }
        self.network = network
    }

    static let titles = [
        "NAME", "CPU", "OWN MEM", "GUEST MEM", "AVAILABLE", "DISK READ/WRITE", "REQUESTS", "NET IN/OUT", "FRAMES",
    ]

    var cells: [String] {
        func size(_ bytes: UInt64?) -> String { bytes.map { HumanSize.text($0) } ?? "-" }
        func bytes(_ transfers: Transfers) -> String {
            "\(HumanSize.text(UInt64(transfers.readBytes))) / \(HumanSize.text(UInt64(transfers.writtenBytes)))"
        }
        func operations(_ transfers: Transfers) -> String {
            "\(Int(transfers.reads.rounded())) / \(Int(transfers.writes.rounded()))"
        }
        return [
            name, "\(Double((cpu * 10).rounded()) / 10)%", size(memory.own),
            memory.guest == nil ? "-" : "\(size(memory.guest)) / \(size(memory.current))", size(memory.available),
            bytes(disk), operations(disk), bytes(network), operations(network),
        ]
    }
}
