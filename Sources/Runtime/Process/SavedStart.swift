internal import Glibc
internal import HostSystem
internal import Aerie
internal import ControlAPI

/// The saved state from which a machine starts: files in its directory, for one start that succeeds.
package struct SavedStart: Sendable {
    package let state: Int32
    package let memory: Int32
    /// The machine's own disks, by their numbers: their files came with the state.
    package let disks: Set<Int>
    /// Whether the machine is another one than the one that was saved; a migrated machine is the same.
    package let isCopy: Bool

    /// Opens the files of a machine that has some; nil without them.
    init?(_ machine: Machine, _ configuration: Configuration) throws(AerieError) {
        let path = machine.file(Machine.savedStateName)
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        do throws(SystemError) {
            // They may be symbolic links into the user's cache (`InstantSnapshot`).
            let state = try FileDescriptor(path: path, flags: O_RDONLY)
            let memory = try FileDescriptor(path: machine.file(Machine.savedMemoryName), flags: O_RDONLY)
            self.state = state.release()
            self.memory = memory.release()
        } catch {
            throw AerieError(
                .badInput, asked: "the saved state of machine '\(machine.record.name)'", found: error.description,
                advice: "remove the machine, and restore the snapshot again")
        }
        isCopy = lstat(machine.file(Machine.savedMoveName), &status) != 0
        disks = Set(
            configuration.disks.indices.filter { configuration.disks[$0].path.hasPrefix("\(machine.directory)/") })
    }

    var descriptors: [Int32] { [state, memory] }

    func close() {
        for descriptor in descriptors { Glibc.close(descriptor) }
    }

    /// The machine has started: the next start is an ordinary one.
    static func discard(of machine: Machine) {
        unlink(machine.file(Machine.savedStateName))
        unlink(machine.file(Machine.savedMemoryName))
        unlink(machine.file(Machine.savedMoveName))
    }
}
