internal import Glibc
internal import HostSystem
package import Aerie
internal import ControlAPI

/// The saved state from which a machine starts: files in its directory, for one start that succeeds.
package struct SavedStart: Sendable {
    package let state: Int32
    /// Nil for memory that has arrived or is arriving.
    package let memory: SavedMemoryFiles?
    /// The memory of a migrated machine that another process has received; nil for memory in files.
    package let arrival: ArrivalFiles?
    /// The code that was generated for the saved machine, if it is there.
    package let code: Int32?
    /// Disks, by their numbers, whose files came with the state: the machine's own; of a migrated machine, all that it writes to.
    package let disks: Set<Int>
    /// Disks of a migrated machine that its sender had, too, as they were at the handover. They have to be so when the machine starts.
    package let sharedDisks: [HandedOverDisk]
    /// Whether the machine is another one than the one that was saved; a migrated machine is the same.
    package let isCopy: Bool

    /// Opens the files of a machine that has some; nil without them.
    ///
    /// - Parameter given: the memory, of which whoever started this process has given it descriptors; nil for memory in the directory.
    init?(_ machine: Machine, _ configuration: Configuration, _ given: GivenMemory?) throws(AerieError) {
        let path = machine.file(Machine.savedStateName)
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        do throws(SystemError) {
            // They may be symbolic links into the user's cache (`InstantSnapshot`).
            let state = try FileDescriptor(path: path, flags: O_RDONLY)
            switch given {
            case .arrival(let descriptors):
                let mark = try FileDescriptor(path: machine.file(Machine.arrivalName), flags: O_RDWR | O_NOFOLLOW)
                arrival = descriptors.files(mark: mark.release())
                memory = nil
                code = nil
            case .fork(let descriptors):
                arrival = nil
                memory = try descriptors.memory()
                code = descriptors.code
            case nil:
                arrival = nil
                memory = try Self.openMemory(of: machine)
                code = SavedCodeLink.saved.open(of: machine)?.release()
            }
            self.state = state.release()
        } catch {
            throw AerieError(
                .badInput, asked: "the saved state of machine '\(machine.record.name)'", found: error.description,
                advice: "remove the machine, and make it again from the snapshot or by a fork")
        }
        let isCopy = lstat(machine.file(Machine.savedMoveName), &status) != 0
        self.isCopy = isCopy
        sharedDisks = isCopy ? [] : try SharedDisks.read(of: machine)
        // The sender of a machine has given its disks away, or sent them.
        disks = Set(
            configuration.disks.indices.filter { index in
                let disk = configuration.disks[index]
                return disk.path.hasPrefix("\(machine.directory)/") || !isCopy && disk.access == .readWrite
            })
    }

    private static func openMemory(of machine: Machine) throws(SystemError) -> SavedMemoryFiles {
        var paths = [machine.file(memoryName(0))]
        let map = machine.file(Machine.savedMapName)
        guard access(map, F_OK) == 0 else { return try SavedMemoryFiles(opening: paths, map: nil) }
        // The map says how many there have to be.
        while access(machine.file(memoryName(paths.count)), F_OK) == 0 {
            paths.append(machine.file(memoryName(paths.count)))
        }
        return try SavedMemoryFiles(opening: paths, map: map)
    }

    /// The name of a file of the memory in a machine's directory. File 0 is the snapshot's own.
    static func memoryName(_ number: Int) -> String {
        number == 0 ? Machine.savedMemoryName : "\(Machine.savedMemoryName).\(number)"
    }

    var descriptors: [Int32] {
        [state] + (memory?.descriptors ?? []) + (arrival?.descriptors ?? []) + (code.map { [$0] } ?? [])
    }

    func close() {
        for descriptor in descriptors { Glibc.close(descriptor) }
    }

    /// The machine has started: the next start is an ordinary one.
    static func discard(of machine: Machine) {
        // Without a state, the other files mean nothing.
        unlink(machine.file(Machine.savedStateName))
        unlink(machine.file(Machine.savedMoveName))
        unlink(machine.file(Machine.savedMapName))
        unlink(machine.file(SharedDisks.name))
        SavedCodeLink.saved.discard(of: machine)
        var number = 0
        while unlink(machine.file(memoryName(number))) == 0 { number += 1 }
    }
}
