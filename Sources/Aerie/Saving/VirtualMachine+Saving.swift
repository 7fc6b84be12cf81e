internal import DiskImages
internal import Glibc
internal import GuestMemory
internal import HostSystem
internal import Machine
internal import PlatformDevices
internal import SavedState

extension VirtualMachine {
    private static let kind = "virtual-machine"
    /// Devices that states of earlier versions lack: those machines go on with the device as at power-on.
    private static let laterDevices = Set(
        ["generation"] + (1...Configuration.hotplugSlots).map { "\(HotplugSlots.portName)\($0)" })

    /// Saves a paused machine to a file: vCPUs, devices, memory, and the changes of disks with `Disk.Access.discardChanges`. The
    /// machine stays paused.
    ///
    /// The disks' files are not saved and must not change until the restore, which compares their sizes, modification times
    /// and first 64 KiB. The file appears under its name only when it is complete and durable.
    ///
    /// - Parameter path: the file's path. An existing file is replaced.
    /// - Throws: an error of category `usage` when the machine is not paused, `unavailable` when a device cannot be saved, and
    ///   `notStarted` when the host cannot store the file.
    public func save(to path: String) throws(AerieError) {
        try whilePaused("save") { () throws(AerieError) in
            let record = try record(for: "saving to \(path)")
            do {
                var replacement = try ReplacementFile(replacing: path, mode: 0o600)
                try SavedMachineFile.write(record, contents: contents, to: replacement.file)
                try replacement.commit()
            } catch {
                throw AerieError(
                    .notStarted, asked: "saving to \(path)", found: "\(error)",
                    advice: "the machine is unharmed; make room, or choose another place")
            }
        }
    }

    /// Starts a new machine from a saved state. Its configuration must equal that of the saved machine; the engine may differ.
    ///
    /// - Parameter path: a file of `save(to:)`.
    /// - Throws: an error of category `badInput` for a damaged file or one of another configuration, and the errors of `start()`.
    public func start(restoring path: String) throws(AerieError) {
        try begin { () throws(AerieError) in
            do {
                let file = try FileDescriptor(path: path, flags: O_RDONLY)
                let record = try SavedMachineFile.readState(from: file)
                try verify(record, except: [])
                // Queues of devices are in memory: it comes first.
                try SavedMachineFile.readContents(contents, from: file)
                try restore(record)
                try board.generation?.renew()
            } catch {
                throw AerieError(
                    .badInput, asked: "restoring \(path)", found: "\(error)",
                    advice: "give a file that this version saved, and the same configuration")
            }
        }
    }

    /// The large contents, which are saved in pieces, in the order of the file.
    private var contents: [any SavedContents] { [MemoryContents(memory: board.memory)] + overlays }

    private var disks: [any DiskImage] { inventory.withLock { $0.disks.map(\.image) } }

    /// What the guest has written to copy-on-write disks.
    var overlays: [any SavedContents] {
        disks.compactMap { ($0 as? OverlayDiskImage).map { OverlayContents(overlay: $0) } }
    }

    /// - Parameter asked: the request, for an error.
    func record(for asked: String) throws(AerieError) -> SavedRecord {
        do {
            var record = SavedRecord(kind: Self.kind, version: 1)
            record.set("memory", board.memory.size)
            record.set("time", board.timeBase.now)
            record.set("agentIsReady", control.isAgentReady)
            record.set("processors", try board.processors.map { processor throws in try processor.save() })
            var devices = SavedRecord(kind: "devices", version: 1)
            for device in board.devices { devices.set(device.name, try device.save()) }
            record.set("devices", devices)
            record.set("disks", try disks.map { disk throws in try disk.save() })
            return record
        } catch {
            throw AerieError(.unavailable, asked: asked, found: "\(error)")
        }
    }

    /// Throws unless this machine's configuration matches the saved one. Changes nothing.
    ///
    /// - Parameter copies: disks, by their numbers, for whose contents the caller stands in.
    func verify(_ record: SavedRecord, except copies: Set<Int>) throws {
        try record.expect(kind: Self.kind, versions: 1...1)
        let memory: UInt64 = try record.integer("memory")
        guard memory == board.memory.size else {
            throw AerieError(
                .badInput, asked: "memory",
                found: "the saved machine has \(memory) bytes, this one \(board.memory.size)")
        }
        let processors = try record.records("processors")
        guard processors.count == board.processors.count else {
            throw AerieError(
                .badInput, asked: "cpus",
                found: "the saved machine has \(processors.count), this one \(board.processors.count)")
        }
        let (disks, saved) = (self.disks, try record.records("disks"))
        guard disks.count == saved.count else {
            throw AerieError(
                .badInput, asked: "disks", found: "the saved machine has \(saved.count), this one \(disks.count)")
        }
        for (index, disk) in disks.enumerated() where !copies.contains(index) { try disk.verify(saved[index]) }
        let devices = try record.record("devices")
        let unknown = Set(devices.fields.keys).subtracting(board.devices.map(\.name))
        guard unknown.isEmpty else {
            throw AerieError(
                .badInput, asked: "devices", found: "this machine lacks \(unknown.sorted().joined(separator: ", "))")
        }
    }

    func restore(_ record: SavedRecord) throws {
        let devices = try record.record("devices")
        board.timeBase.stop()
        board.timeBase.set(try record.integer("time"))
        for (processor, state) in zip(board.processors, try record.records("processors")) {
            try processor.restore(state)
        }
        for device in board.devices {
            if devices.fields[device.name] == nil, Self.laterDevices.contains(device.name) { continue }
            try device.restore(try devices.record(device.name))
        }
        control.restore(isAgentReady: (try? record.boolean("agentIsReady")) ?? false)
        // The wall clock went on while the machine was not there.
        control.sendTime()
        board.timeBase.start()
    }
}
