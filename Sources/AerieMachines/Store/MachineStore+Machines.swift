internal import ControlAPI
internal import Glibc
internal import GuestImages
internal import HostSystem
internal import Runtime

extension MachineStore {
    /// All machines by their age, running or not.
    public func machines() async throws(AerieError) -> [JailedMachine] {
        try await BlockingWork.run("machines") { directory.machines().map { JailedMachine($0, in: self) } }
    }

    /// The machine with a name, an ID, or an ID that begins so.
    ///
    /// - Throws: `usage` when there is none or more than one.
    public func machine(_ name: String) async throws(AerieError) -> JailedMachine {
        try await BlockingWork.run("machine") { () throws(AerieError) in
            JailedMachine(try directory.find(name), in: self)
        }
    }

    /// Makes a machine without starting it. It is kept until it is removed.
    ///
    /// - Throws: `usage` for settings out of range and a name that is taken, `badInput` for files that are missing, and the errors of the host.
    public func create(_ settings: MachineSettings) async throws(AerieError) -> JailedMachine {
        try settings.validate()
        return try await BlockingWork.run("machine-create") { () throws(AerieError) in
            try AerieError.wrapping("a new machine") { JailedMachine(try make(settings), in: self) }
        }
    }

    /// Makes a machine, starts it, and removes it when `body` returns or throws.
    ///
    /// The machine is temporary: what the guest writes to its image's disk is thrown away. It ends with this program, too, also when this is
    /// killed. A task that is cancelled ends the machine when `body` has returned.
    ///
    /// - Returns: the result of `body`.
    /// - Throws: an `AerieError` when the machine cannot be made or started, and the errors of `body`.
    public func withMachine<Value>(
        _ settings: MachineSettings, isolation: isolated (any Actor)? = #isolation,
        _ body: (JailedMachine) async throws -> Value
    ) async throws -> Value {
        var settings = settings
        settings.isTemporary = true
        let machine = try await create(settings)
        let result: Result<Value, any Error>
        do {
            try await machine.startAttended()
            result = .success(try await body(machine))
        } catch {
            result = .failure(error)
        }
        await machine.discard()
        return try result.get()
    }

    // MARK: Making

    private func make(_ settings: MachineSettings) throws -> Machine {
        var configuration = settings.configuration
        return try directory.create(name: settings.name) { id, name, work, final in
            if let image = settings.image {
                try complete(&configuration, image, settings, name: name, work: work, final: final)
            }
            // The agent is a file of the machine, not a part of its record.
            let archive = configuration.appendedInitrd
            let hasAgent = settings.image != nil && !archive.isEmpty
            if hasAgent {
                try Machine.replace("\(work)/\(Machine.agentName)", with: archive, isDurable: false)
                configuration.appendedInitrd = []
            }
            var record = MachineRecord(
                id: id, name: name, created: HostClock.realtime(), stopTimeout: settings.stopTimeout,
                workingDirectory: Self.workingDirectory, configuration: configuration)
            record.image = settings.image.map {
                MachineRecord.Image(reference: $0.name, directory: $0.stored.directory)
            }
            record.removesAtEnd = settings.isTemporary
            record.hasAgent = hasAgent
            record.labels = settings.labels
            record.requiresJail = settings.requiresJail ? true : nil
            return record
        }
    }

    /// Adds the image's part to a machine's configuration, and checks the result.
    private func complete(
        _ configuration: inout Configuration, _ image: GuestImage, _ settings: MachineSettings, name: String,
        work: String,
        final: String
    ) throws {
        if !settings.isTemporary {
            // A name that the caller has given stands behind it, and wins.
            let words = ["aerie.hostname=\(name)", configuration.commandLine]
            configuration.commandLine = words.filter { !$0.isEmpty }.joined(separator: " ")
        }
        var plan = ImageConfiguration(image.stored)
        plan.command = GuestBootWords.idleCommand
        plan.diskSize = settings.diskSize
        let disk = (made: "\(work)/\(Machine.rootDiskName)", final: "\(final)/\(Machine.rootDiskName)")
        if !settings.isTemporary { plan.rootDisk = .kept(path: disk.made, final: disk.final) }
        try plan.complete(&configuration)
        // The machine's own disk is not in its place yet.
        var checked = configuration
        for index in checked.disks.indices where checked.disks[index].path == disk.final {
            checked.disks[index].path = disk.made
        }
        try checked.validate()
    }

    /// Where relative paths of a configuration begin.
    private static var workingDirectory: String {
        guard let path = getcwd(nil, 0) else { return "/" }
        defer { free(path) }
        return String(cString: path)
    }
}
