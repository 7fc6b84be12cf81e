internal import Aerie
internal import AerieMachines
internal import ControlAPI
internal import Runtime

/// The use of a running machine between two moments, as `aerie stats` shows it. Rates are per second.
struct MachineFigures: Encodable {
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
    let disk: MachineRates.Transfers
    /// All network cards together; reads are frames that the guest received.
    let network: MachineRates.Transfers

    /// Nil when the statistics are of two runs of the machine.
    init?(_ machine: Machine, from first: MachineStatistics, to last: MachineStatistics) {
        guard let rates = last.rates(since: first) else { return nil }
        id = machine.record.id
        name = machine.record.name
        cpu = rates.cpu
        memory = Memory(
            own: last.ownMemory.bytes, guest: last.memory?.resident.bytes, current: last.memory?.current.bytes,
            available: last.memory?.guest?.available?.bytes)
        disk = rates.disks
        network = rates.networkCards
    }

    static let titles = [
        "NAME", "CPU", "OWN MEM", "GUEST MEM", "AVAILABLE", "DISK READ/WRITE", "REQUESTS", "NET IN/OUT", "FRAMES",
    ]

    var cells: [String] {
        func size(_ bytes: UInt64?) -> String { bytes.map { HumanSize.text($0) } ?? "-" }
        func bytes(_ transfers: MachineRates.Transfers) -> String {
            "\(HumanSize.text(UInt64(transfers.readBytes))) / \(HumanSize.text(UInt64(transfers.writtenBytes)))"
        }
        func operations(_ transfers: MachineRates.Transfers) -> String {
            "\(Int(transfers.reads.rounded())) / \(Int(transfers.writes.rounded()))"
        }
        return [
            name, "\(Double((cpu * 10).rounded()) / 10)%", size(memory.own),
            memory.guest == nil ? "-" : "\(size(memory.guest)) / \(size(memory.current))", size(memory.available),
            bytes(disk), operations(disk), bytes(network), operations(network),
        ]
    }
}
