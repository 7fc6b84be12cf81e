internal import Aerie
internal import ControlAPI

/// What a machine is called and when it starts again: what is kept of it beside its parts.
struct MachineIdentity {
    /// Nil for a name that is made up.
    var name: String?
    var restart = RestartPolicy.no
    var labels: [String: String] = [:]
    /// Nil for an ordinary process's part of the processors.
    var processorShare: ProcessorShare?
    var healthCheck: HealthCheck?
    /// Nil for a machine without networks whose addresses the host chooses.
    var network: GuestNetwork?

    /// Changes the record of a machine that is new or was saved: what is asked for now comes instead of what it had.
    func apply(to record: inout MachineRecord) {
        record.labels.merge(labels) { $1 }
        if restart != .no { record.restart = restart }
        if let processorShare { record.processorShare = processorShare }
        if let healthCheck { record.healthCheck = healthCheck }
        guard let network else { return }
        record.network = network
        // The guest finds the card of an address by its MAC address.
        for index in record.configuration.networkCards.indices {
            guard case .segment = record.configuration.networkCards[index].network,
                record.configuration.networkCards[index].macAddress == nil
            else { continue }
            record.configuration.networkCards[index].macAddress = NetworkCard.copyAddress(
                machine: record.id, index: index)
        }
    }
}
