internal import Aerie
internal import ControlAPI
internal import DiskImages
internal import HostSystem
internal import Runtime

/// Makes a machine that goes on from a snapshot.
struct SnapshotRestoring {
    let snapshot: Snapshot
    /// Whether the machine has the published ports of the one that was saved, which may still have them.
    var publishesPorts = true
    /// What is asked for beside what was saved.
    var identity = MachineIdentity()
    /// Whether the machine is removed when it ends.
    var isTemporary = false

    /// Makes the machine and starts it; a machine that does not start is removed.
    ///
    /// - Parameter name: nil for a name that is made up.
    func start(name: String?) throws -> Machine {
        let machine = try make(name: name)
        do {
            try MachineStarting.start(machine)
        } catch {
            // Nobody needs a machine that never was.
            try? userMachines().remove(machine)
            throw error
        }
        return machine
    }

    /// Makes the machine, and does not start it.
    func make(name: String?) throws -> Machine {
        try snapshot.checkUnlessUnchanged()
        return try userMachines().create(name: name) { id, name, work, final in
            let base = try SnapshotFiles.restore(snapshot, to: work)
            if let base { try Self.makeDisk("\(work)/\(Machine.rootDiskName)", base: base, in: work) }
            return record(id: id, name: name, directory: final)
        }
    }

    /// The machine's own disk, which begins as the snapshot's.
    private static func makeDisk(_ path: String, base: String, in work: String) throws(AerieError) {
        do throws(DiskImageError) {
            let size = try DiskInformation(path: "\(work)/\(base)", format: .qcow2).size
            var disk = NewDisk(path: path, format: .qcow2, size: size)
            disk.backing = try Qcow2Creation.Backing(name: base, format: .qcow2, remembering: "\(work)/\(base)")
            try disk.make()
        } catch { throw AerieError(disk: error) }
    }

    private func record(id: String, name: String, directory: String) -> MachineRecord {
        let saved = snapshot.record.machine
        var record = saved
        record.id = id
        record.name = name
        record.created = HostClock.realtime()
        record.removesAtEnd = isTemporary
        record.arguments = []
        // Labels of a project say that its file describes the machine.
        record.labels = saved.labels.filter { !$0.key.hasPrefix("aerie.") }.merging(identity.labels) { $1 }
        if isTemporary { record.restart = .no }
        if identity.restart != .no { record.restart = identity.restart }
        if let share = identity.processorShare { record.processorShare = share }
        if let check = identity.healthCheck { record.healthCheck = check }
        func moved(_ path: String) -> String {
            Machine.ownNames.first { path.hasSuffix("/\(saved.id)/\($0)") }.map { "\(directory)/\($0)" } ?? path
        }
        for index in record.configuration.disks.indices {
            record.configuration.disks[index].path = moved(record.configuration.disks[index].path)
        }
        record.configuration.kernel = record.configuration.kernel.map(moved)
        record.configuration.initrd = record.configuration.initrd.map(moved)
        record.configuration.firmware = record.configuration.firmware.map(moved)
        let words = saved.configuration.commandLine.split(separator: " ").map { word in
            word == "aerie.hostname=\(saved.name)" ? "aerie.hostname=\(name)" : String(word)
        }
        record.configuration.commandLine = words.joined(separator: " ")
        if !publishesPorts { record.configuration.publishedPorts = [] }
        return record
    }
}
