internal import Aerie
package import ControlAPI
internal import DiskImages
internal import Glibc
internal import HostSystem
package import Runtime

/// Makes a machine that goes on from a snapshot.
package struct SnapshotRestoring {
    let snapshot: Snapshot
    /// Where the machine is made.
    let directory: StateDirectory
    let starter: MachineStarter
    /// Whether the machine takes the place of the one that was saved: it has its published ports, and MAC addresses that the user has given.
    /// False for a copy beside it.
    let takesPlace: Bool
    /// What the machine begins with, unless that is in the snapshot.
    var memory: ForkedMemory?
    /// Whether the machine is removed when it ends.
    package var isTemporary = false
    /// Changes what else the machine's record has.
    package var adjust: (inout MachineRecord) -> Void = { _ in }

    package init(
        snapshot: Snapshot, directory: StateDirectory, starter: MachineStarter, takesPlace: Bool = true
    ) {
        self.snapshot = snapshot
        self.directory = directory
        self.starter = starter
        self.takesPlace = takesPlace
    }

    /// Makes the machine, starts it, and makes its guest somebody else. A machine that does not start is removed, and so is one whose guest
    /// was not renewed when this process ends.
    ///
    /// - Parameters:
    ///   - name: nil for a name that is made up.
    ///   - onStart: called when the guest runs and the machine is on the storage, also when its guest could not be renewed.
    /// - Throws: errors of the start, and of `MachineIdentityRenewal`: then the machine runs.
    package func start(name: String?, onStart: (Machine) -> Void = { _ in }) throws -> Machine {
        let machine = try make(name: name, isDurable: false, isMarked: true)
        var renewal = Result<Void, any Error>.success(())
        do {
            let synchronization = try isTemporary ? nil : StorageSynchronization(machine)
            let started = Result {
                try starter.start(machine, memory: memory.map { .fork($0.descriptors) }) {
                    if goesOn { renewal = Result { try MachineIdentityRenewal().run(machine) } }
                    unlink(machine.file(Machine.savedIdentityName))
                }
            }
            try synchronization?.finish()
            try started.get()
        } catch {
            // Nobody needs a machine that never was.
            try? MachineEnding.kill(machine)
            try? directory.remove(machine)
            throw error
        }
        onStart(machine)
        try renewal.get()
        return machine
    }

    /// Whether the guest goes on where it was.
    private var goesOn: Bool { snapshot.record.hasState || memory != nil }

    /// Makes the machine, and does not start it.
    ///
    /// - Parameters:
    ///   - isDurable: whether the machine survives a loss of power from then on; otherwise the caller sees to that (`Machine.synchronize`).
    ///   - isMarked: whether it goes away with whoever starts it, until its mark (`Machine.savedIdentityName`) is removed.
    package func make(name: String?, isDurable: Bool = true, isMarked: Bool = false) throws -> Machine {
        try snapshot.checkUnlessUnchanged()
        return try directory.create(name: name, isDurable: isDurable) { id, name, work, final in
            let base = try SnapshotFiles.restore(snapshot, with: memory, to: work, isMarked: isMarked)
            if let base {
                try Self.makeDisk("\(work)/\(Machine.rootDiskName)", base: base, in: work, isDurable: isDurable)
            }
            return try record(id: id, name: name, directory: final)
        }
    }

    /// The machine's own disk, which begins as the snapshot's.
    private static func makeDisk(
        _ path: String, base: String, in work: String, isDurable: Bool
    ) throws(AerieError) {
        do throws(DiskImageError) {
            let size = try DiskInformation(path: "\(work)/\(base)", format: .qcow2).size
            var disk = NewDisk(path: path, format: .qcow2, size: size)
            disk.backing = try Qcow2Creation.Backing(name: base, format: .qcow2, remembering: "\(work)/\(base)")
            disk.isDurable = isDurable
            try disk.make()
        } catch { throw AerieError(disk: error) }
    }

    private func record(id: String, name: String, directory final: String) throws(AerieError) -> MachineRecord {
        let saved = snapshot.record.machine
        var record = saved
        record.id = id
        record.name = name
        record.created = HostClock.realtime()
        record.removesAtEnd = isTemporary
        record.arguments = []
        record.descent = snapshot.descentOfNext
        // Labels of a project say that its file describes the machine.
        record.labels = saved.labels.filter { !$0.key.hasPrefix("aerie.") }
        if isTemporary { record.restart = .no }
        record.moveOwnFiles(ofMachine: saved.id, to: final)
        let words = saved.configuration.commandLine.split(separator: " ").map { word in
            // A copy does not have a name that the user has given to the other one.
            let isOther = takesPlace ? word == "aerie.hostname=\(saved.name)" : word.hasPrefix("aerie.hostname=")
            return isOther ? "aerie.hostname=\(name)" : String(word)
        }
        record.configuration.commandLine = words.joined(separator: " ")
        record.renewCardAddresses(keepsChosen: takesPlace)
        if !takesPlace { record.configuration.publishedPorts = [] }
        if let network = saved.network {
            var addresses = SegmentAddresses(directory.machines())
            record.network = try addresses.renew(network, of: id)
        }
        adjust(&record)
        return record
    }
}

/// Brings a new machine to the storage while it starts.
private final class StorageSynchronization: @unchecked Sendable {
    // @unchecked: the thread writes `failure` before its end, and the owner reads it afterwards.
    private var failure: AerieError?
    private var thread: HostThread?

    init(_ machine: Machine) throws(AerieError) {
        do throws(SystemError) {
            thread = try HostThread(name: "storage") { [unowned self] in
                do throws(AerieError) { try machine.synchronize() } catch { failure = error }
            }
        } catch { throw AerieError(opening: "the new machine", error) }
    }

    /// Waits for the storage. Call it once.
    func finish() throws(AerieError) {
        thread?.join()
        if let failure { throw failure }
    }
}
