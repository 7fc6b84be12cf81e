/// Calls for a machine that runs.
extension JailedMachine {
    /// What the machine has used of its host until now.
    ///
    /// - Throws: `usage` when it does not run.
    public var statistics: MachineStatistics {
        get async throws(AerieError) {
            try await work("statistics") { [machine, name] in
                if let statistics = MachineStatistics(machine) { return statistics }
                throw AerieError(
                    .usage, asked: "the statistics of machine '\(name)'", found: "it is not running",
                    advice: "start it")
            }
        }
    }

    /// What the machine has used of its host, now and after each interval, until it ends. A machine that does not run has none.
    public func statistics(every interval: Duration) -> StatisticsSequence {
        StatisticsSequence(machine: machine, interval: interval)
    }

    /// Changes the running machine. The changes last until it ends; disks and network cards that come or go do so for good.
    ///
    /// They are made one after the other: an error leaves those before it as they are. Disks and cards of a machine that does not run come and go
    /// in what it starts with.
    ///
    /// - Throws: `usage` for values out of range and a machine that does not run, `unavailable` for what the host or the machine cannot do.
    public func change(_ changes: MachineChanges) async throws(AerieError) {
        try await work("change") { [machine] in try changes.apply(to: machine) }
    }
}
