internal import Aerie
internal import ControlAPI
package import Runtime

/// Makes running copies of a running machine: a snapshot that is not kept and has no memory, a restore for each copy, and the memory that all of
/// them share.
package struct MachineFork {
    /// The valid numbers of copies.
    package static let counts = 1...1000

    let machine: Machine
    let starter: MachineStarter

    package init(machine: Machine, starter: MachineStarter) {
        self.machine = machine
        self.starter = starter
    }

    /// Makes the copies.
    ///
    /// - Parameters:
    ///   - prefix: of the copies' names; nil for the machine's name.
    ///   - onCopy: called with each copy that runs, in the order of their names.
    package func run(count: Int, prefix: String?, onCopy: (Machine) throws -> Void) throws {
        try machine.requireRunning(for: "forking")
        let directory = StateDirectory(of: machine)
        let names = Self.free(count, prefix: prefix ?? machine.record.name, in: directory)
        try SnapshotStore(beside: directory).withTemporary(of: machine.record) { work in
            try SnapshotFiles.fork(machine, to: work)
        } _: { snapshot, memory in
            var restoring = SnapshotRestoring(
                snapshot: snapshot, directory: directory, starter: starter, takesPlace: false)
            restoring.memory = memory
            try CopyMaker(restoring, names: names).run(onCopy: onCopy)
        }
    }

    /// The first names of the prefix that no machine has.
    package static func free(_ count: Int, prefix: String, in directory: StateDirectory) -> [String] {
        let taken = Set(directory.machines().map(\.record.name))
        return Array((1...).lazy.map { "\(prefix)-\($0)" }.filter { !taken.contains($0) }.prefix(count))
    }
}
