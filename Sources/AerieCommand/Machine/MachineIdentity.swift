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

    func apply(to record: inout MachineRecord) {
        record.restart = restart
        record.labels = labels
        record.healthCheck = healthCheck
        record.processorShare = processorShare
    }
}
