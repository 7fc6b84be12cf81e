public import Aerie
internal import ControlAPI
package import Runtime

/// What is to change of a running machine, or of the devices of one that does not run, for `JailedMachine.change(_:)`. Nil leaves a setting as it is.
public struct MachineChanges: Equatable, Sendable {
    /// The most processor time of a machine.
    public enum ProcessorLimit: Equatable, Sendable {
        case none
        /// In percent of one processor, 1 to 102,400: 250 is two and a half.
        case percent(Int)
    }

    /// Changes of a disk.
    public struct DiskChange: Equatable, Sendable {
        /// A larger size, for a raw disk: a multiple of 512 bytes.
        public var size: ByteSize?
        /// The limits of its transfers; `RateLimit()` takes them away.
        public var rate: RateLimit?

        /// Another size, another rate, or both.
        public init(size: ByteSize? = nil, rate: RateLimit? = nil) {
            self.size = size
            self.rate = rate
        }
    }

    /// Changes of a network card.
    public struct CardChange: Equatable, Sendable {
        /// Whether the card's link is up, as with a cable plugged in.
        public var isUp: Bool?
        /// The limits of its transfers, operations being frames; `RateLimit()` takes them away.
        public var rate: RateLimit?

        /// Another state of the link, another rate, or both.
        public init(isUp: Bool? = nil, rate: RateLimit? = nil) {
            self.isUp = isUp
            self.rate = rate
        }
    }

    /// The memory that the guest is asked to live with, from 1M to the most memory of the machine; see `VirtualMachine.setMemoryTarget(_:)`.
    public var memory: ByteSize?
    /// How the guest's memory serves the host; see `VirtualMachine.setMemoryPolicy(_:)`.
    public var memoryPolicy: MemoryPolicy?
    /// The machine's part of a busy processor in relation to others, 1 to 10,000; an ordinary process has 100.
    public var cpuWeight: Int?
    /// The most processor time of all threads of the machine's process.
    public var cpuLimit: ProcessorLimit?
    /// The numbers of the host's processors that the machine may run on, 0 to 1023; at least one.
    public var processors: [Int]?
    /// Changes by the disk's number in `Configuration.disks`. The root disk of an image has the number 0.
    public var disks: [Int: DiskChange] = [:]
    /// Changes by the card's number in `Configuration.networkCards`.
    public var networkCards: [Int: CardChange] = [:]
    /// Disks that the machine gets, in its first free hot-plug slots or those of `Disk.slot`. It has them from now on, also after its next start.
    /// Relative paths begin in the current directory.
    public var addedDisks: [Disk] = []
    /// Network cards that the machine gets, as `addedDisks`, with the network `user` or `tap`. A card without an address gets one that stays.
    public var addedNetworkCards: [NetworkCard] = []
    /// Disks that the machine loses, by their serials or the paths of their files: of those in hot-plug slots. Its guest has to let go of them,
    /// within a minute each. They go before others come.
    public var removedDisks: [String] = []
    /// Network cards that the machine loses, by their MAC addresses, as `removedDisks`.
    public var removedNetworkCards: [String] = []

    /// No changes.
    public init() {}

    /// Makes the changes one after the other. An error leaves those before it as they are. Of a machine that does not run, only its devices
    /// change, in what it starts with.
    ///
    /// - Throws: `usage` for values out of range and a machine that does not run, and the errors of `VirtualMachine`'s calls.
    package func apply(to machine: Machine) throws(AerieError) {
        try validate()
        if hasSettings { try applySettings(to: machine) }
        let devices: any MachineDevices =
            machine.isRunning ? MachineHotplug(machine) : StoppedMachineDevices(machine)
        for name in removedDisks { try devices.removeDisk(name) }
        for address in removedNetworkCards { try devices.removeNetworkCard(address) }
        for disk in addedDisks { try devices.add(disk) }
        for card in addedNetworkCards { try devices.add(card) }
    }

    /// Whether anything else than devices is to change.
    private var hasSettings: Bool {
        var settings = self
        (settings.addedDisks, settings.addedNetworkCards) = ([], [])
        (settings.removedDisks, settings.removedNetworkCards) = ([], [])
        return settings != MachineChanges()
    }

    private func applySettings(to machine: Machine) throws(AerieError) {
        let client = try ControlClient(machine)
        if cpuWeight != nil || cpuLimit != nil || processors != nil {
            try MachineShare.change(machine, weight: cpuWeight, limit: limit, processors: processors?.sorted()) {
                (limit) throws(AerieError) in
                try client.call(.setCPU, ["limit": limit.map { JSONValue($0) } ?? .null])
            }
        }
        for (method, parameters) in try requests() { try client.call(method, parameters) }
        try machine.note(changes: try AerieError.wrapping("changes") { try json })
    }

    private var limit: Int?? {
        switch cpuLimit {
        case nil: nil
        case .some(.none): .some(nil)
        case .some(.percent(let percent)): percent
        }
    }

    /// Checks what the machine's process does not.
    private func validate() throws(AerieError) {
        func refuse(_ asked: String, _ range: ClosedRange<Int>) -> AerieError {
            AerieError(
                .usage, asked: asked, found: "it is not from \(range.lowerBound) to \(range.upperBound)",
                advice: "choose a number in this range")
        }
        if let cpuWeight, !ProcessorShare.weightRange.contains(cpuWeight) {
            throw refuse("a weight of \(cpuWeight)", ProcessorShare.weightRange)
        }
        if case .percent(let percent) = cpuLimit, !ProcessorShare.limitRange.contains(percent) {
            throw refuse("a limit of \(percent)%", ProcessorShare.limitRange)
        }
        guard let processors else { return }
        guard !processors.isEmpty else {
            throw AerieError(.usage, asked: "the processors of the machine", found: "none is named")
        }
        let valid = 0...ProcessorShare.highestProcessor
        if let wrong = processors.first(where: { !valid.contains($0) }) { throw refuse("processor \(wrong)", valid) }
    }

    /// The requests to the machine's process.
    private func requests() throws(AerieError) -> [(ControlRequest.Method, [String: JSONValue])] {
        var result: [(ControlRequest.Method, [String: JSONValue])] = []
        for (number, disk) in disks.sorted(by: { $0.key < $1.key }) {
            let place = ["disk": JSONValue(number)]
            if let size = disk.size {
                result.append((.resizeDisk, place.merging(["bytes": JSONValue(size.bytes)]) { $1 }))
            }
            if let rate = disk.rate { result.append((.setDiskRate, place.merging(rate.parameters) { $1 })) }
        }
        for (number, card) in networkCards.sorted(by: { $0.key < $1.key }) {
            let place = ["card": JSONValue(number)]
            if let isUp = card.isUp { result.append((.setLink, place.merging(["up": .boolean(isUp)]) { $1 })) }
            if let rate = card.rate { result.append((.setNetworkRate, place.merging(rate.parameters) { $1 })) }
        }
        if let memoryPolicy {
            let policy = try AerieError.wrapping("a memory policy") { try JSONValue(encoding: memoryPolicy) }
            result.append((.setMemoryPolicy, ["policy": policy]))
        }
        if let memory { result.append((.setMemory, ["bytes": JSONValue(memory.bytes)])) }
        return result
    }
}

extension RateLimit {
    fileprivate var parameters: [String: JSONValue] {
        var result: [String: JSONValue] = [:]
        if let bytes { result["bytes"] = JSONValue(bytes.bytes) }
        if let operations { result["operations"] = JSONValue(operations) }
        return result
    }
}
