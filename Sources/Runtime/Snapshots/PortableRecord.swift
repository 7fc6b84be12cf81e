internal import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// The record of a snapshot as it travels: nothing in it names a file, a folder or a port of a host.
///
/// The one who reads an archive trusts none of it. What a machine has of its host (shared folders, disks, sockets) never comes from there.
enum PortableRecord {
    /// What may be beside the disk, by the names that the files have in the directories of snapshots and machines.
    static var files: [(name: String, path: WritableKeyPath<Configuration, String?>)] {
        [(Machine.kernelName, \.kernel), (Machine.initrdName, \.initrd), (Machine.firmwareName, \.firmware)]
    }

    /// - Throws: `unavailable` when a part of the machine is on this host only.
    static func exported(_ snapshot: Snapshot) throws(AerieError) -> SnapshotRecord {
        var record = snapshot.record
        let configuration = record.machine.configuration
        func refusal(_ found: String) -> AerieError {
            AerieError(
                .unavailable, asked: "exporting snapshot '\(record.name)'", found: found,
                advice: "a snapshot has only the image's disk; export one of a machine without that")
        }
        if !configuration.shares.isEmpty { throw refusal("the machine has shared folders of this host") }
        if !configuration.flash.isEmpty { throw refusal("the machine has flash banks in files of this host") }
        if configuration.sockets != nil { throw refusal("the machine has sockets of this host (--vsock)") }
        guard configuration.networkCards.allSatisfy({ $0.network == .user }) else {
            throw refusal("the machine has a network of this host")
        }
        let hasOwnDisk = access(snapshot.file(Machine.rootDiskName), F_OK) == 0
        let isImage = configuration.disks.first.map { disk in
            disk.access == .discardChanges
                && record.machine.image.map { disk.path.hasPrefix("\($0.directory)/") } ?? false
        }
        guard configuration.disks.isEmpty || configuration.disks.count == 1 && (hasOwnDisk || isImage == true) else {
            throw refusal("the machine has disks of --disk or --overlay")
        }
        record.machine = try portable(record.machine, id: record.machine.id)
        (record.descent, record.layers) = (nil, nil)
        record.memory = record.memory.map { .init(size: $0.size, modified: 0, device: 0, node: 0) }
        return record
    }

    /// The record of a machine that has nothing of a host but the files of its snapshot.
    ///
    /// - Parameter id: of the machine; its files have paths that end with `/ID/NAME`, as those of a machine that was saved on this host.
    static func portable(_ machine: MachineRecord, id: String) throws(AerieError) -> MachineRecord {
        try MachineNames.check(machine.name)
        let saved = machine.configuration
        var configuration = Configuration()
        configuration.architecture = saved.architecture
        configuration.engine = saved.engine
        configuration.codeCache = saved.codeCache
        configuration.cpus = saved.cpus
        configuration.processor = saved.processor
        configuration.memory = saved.memory
        configuration.memoryGrowth = saved.memoryGrowth
        configuration.commandLine = saved.commandLine
        configuration.networkCards = saved.networkCards.filter { $0.network == .user }
        configuration.allowedEgress = saved.allowedEgress
        configuration.transport = saved.transport
        configuration.interrupts = saved.interrupts
        configuration.console = saved.console
        configuration.hasControlPort = saved.hasControlPort
        configuration.restartsOnReset = saved.restartsOnReset
        configuration.watchdog = saved.watchdog
        for (name, path) in files where saved[keyPath: path] != nil { configuration[keyPath: path] = "/\(id)/\(name)" }
        if let disk = saved.disks.first {
            var own = Disk(
                path: "/\(id)/\(Machine.rootDiskName)", format: .qcow2,
                access: disk.access == .discardChanges ? .discardChanges : .readWrite, serial: disk.serial)
            own.size = disk.size
            own.rate = disk.rate
            configuration.disks = [own]
        }
        var result = MachineRecord(
            id: id, name: machine.name, created: machine.created, stopTimeout: min(max(machine.stopTimeout, 0), 86_400),
            workingDirectory: "/", configuration: configuration)
        result.hasAgent = machine.hasAgent
        // The guest's own affair, like the words of its command line.
        result.command = machine.command
        result.commandSettings = machine.commandSettings
        return result
    }
}
