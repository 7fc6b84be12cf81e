package import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// Applies a machine's share of processors: by a control group where this user can make them, or else by the scheduler's means and by a limit
/// that the machine keeps itself. Everything but that last limit is out of the machine's reach.
package enum MachineShare {
    /// Applies the share of a machine's record to the machine's process. The caller is its monitor.
    ///
    /// - Parameter tree: nil for a host without control groups.
    /// - Returns: the limit in percent of one processor that the machine has to keep by itself; nil for none.
    /// - Throws: `unavailable` when the share cannot be had.
    static func begin(
        _ machine: Machine, process: Int32, in tree: ControlGroupTree? = ControlGroupTree(of: getpid())
    ) throws(AerieError) -> Int? {
        guard let share = machine.record.processorShare else { return nil }
        var ownLimit: Int?
        try apply(
            share.weight, share.limit.map { .some($0) }, share.processors, to: machine, process: process,
            monitor: getpid(), in: tree
        ) { limit in ownLimit = limit }
        return ownLimit
    }

    /// Changes the share of a running machine.
    ///
    /// - Parameters:
    ///   - limit: in percent of one processor; `.some(nil)` takes the limit away, nil leaves it.
    ///   - limitItself: lets the machine keep the limit by itself; nil for none.
    /// - Throws: `usage` when the machine does not run, `unavailable` when the share cannot be had.
    package static func change(
        _ machine: Machine, weight: Int?, limit: Int??, processors: [Int]?,
        limitItself: (Int?) throws(AerieError) -> Void
    ) throws(AerieError) {
        let status = machine.status
        guard status.process > 0, status.monitor > 0 else {
            throw AerieError(
                .usage, asked: "machine '\(machine.record.name)'", found: "it is not running",
                advice: "start it with 'aerie start'")
        }
        try apply(
            weight, limit, processors, to: machine, process: status.process, monitor: status.monitor,
            in: ControlGroupTree(of: status.monitor), limitItself: limitItself)
    }

    private static func apply(
        _ weight: Int?, _ limit: Int??, _ processors: [Int]?, to machine: Machine, process: Int32, monitor: Int32,
        in tree: ControlGroupTree?, limitItself: (Int?) throws(AerieError) -> Void
    ) throws(AerieError) {
        if let processors { try SchedulerShare.set(processors: processors, of: process) }
        guard weight != nil || limit != nil else { return }
        if let group = tree.flatMap({ ControlGroup.make(for: machine, in: $0, process: process) }) {
            try set(weight: weight, limit: limit, of: group)
            // The machine may have kept one by itself before.
            if limit != nil { try limitItself(nil) }
            return
        }
        if let weight { try SchedulerShare.set(weight: weight, of: process, monitor: monitor) }
        if let limit { try limitItself(limit) }
    }

    /// Removes what is left of an ended machine's share.
    package static func end(_ machine: Machine) { ControlGroup.remove(of: machine) }

    private static func set(weight: Int?, limit: Int??, of group: ControlGroup) throws(AerieError) {
        do throws(SystemError) {
            if let weight { try group.set(weight: weight) }
            if let limit { try group.set(limit: limit) }
        } catch {
            throw AerieError(
                .unavailable, asked: "a share of processors", found: error.description,
                advice: "the limit of a group above may be lower")
        }
    }
}
