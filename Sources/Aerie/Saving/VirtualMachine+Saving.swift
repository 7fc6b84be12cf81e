internal import Glibc
internal import GuestMemory
internal import HostSystem
internal import Machine
internal import SavedState

extension VirtualMachine {
    private static let kind = "virtual-machine"

    /// Writes a paused machine whole to a file: processors, devices and memory. The machine stays paused.
    ///
    /// Disk images are not part of it: they have to be as they are now when the machine is restored. The file appears under
    /// its name only when it is complete and on disk.
    ///
    /// - Throws: `unavailable` when a device cannot be saved, naming it; `notStarted` when the host cannot store the file.
    public func save(to path: String) throws(AerieError) {
        try whilePaused("save") { () throws(AerieError) in
            let record = try record(for: path)
            let temporary = "\(path).\(getpid()).partial"
            do {
                let file = try FileDescriptor(path: temporary, flags: O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
                try SavedMachineFile.write(record, memory: board.memory, to: file)
                guard rename(temporary, path) == 0 else { throw SystemError.last("rename") }
            } catch {
                unlink(temporary)
                throw AerieError(
                    .notStarted, asked: "saving to \(path)", found: "\(error)",
                    advice: "the machine is unharmed; make room, or choose another place")
            }
        }
    }

    /// Starts a machine that was just built with the configuration of a saved one, from where that one was saved.
    ///
    /// - Throws: `badInput` for a file that is damaged or of another machine, and what `start` throws.
    public func start(restoring path: String) throws(AerieError) {
        try begin { () throws(AerieError) in
            do {
                let file = try FileDescriptor(path: path, flags: O_RDONLY)
                let record = try SavedMachineFile.readState(from: file)
                // Queues of devices are in memory: it comes first.
                try SavedMachineFile.readMemory(board.memory, from: file)
                try restore(record)
            } catch {
                throw AerieError(
                    .badInput, asked: "restoring \(path)", found: "\(error)",
                    advice: "give a file that this version saved, and the same configuration")
            }
        }
    }

    private func record(for path: String) throws(AerieError) -> SavedRecord {
        if let disk = volatileDisk {
            throw AerieError(
                .unavailable, asked: "saving to \(path)", found: "the changes of disk \(disk) are kept in memory only",
                advice: "run the machine with a disk that is written")
        }
        do {
            var record = SavedRecord(kind: Self.kind, version: 1)
            record.set("memory", board.memory.size)
            record.set("time", board.timeBase.now)
            record.set("processors", try board.processors.map { processor throws in try processor.save() })
            var devices = SavedRecord(kind: "devices", version: 1)
            for device in board.devices { devices.set(device.name, try device.save()) }
            record.set("devices", devices)
            return record
        } catch {
            throw AerieError(.unavailable, asked: "saving to \(path)", found: "\(error)")
        }
    }

    private func restore(_ record: SavedRecord) throws {
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
        let devices = try record.record("devices")
        let unknown = Set(devices.fields.keys).subtracting(board.devices.map(\.name))
        guard unknown.isEmpty else {
            throw AerieError(
                .badInput, asked: "devices", found: "this machine lacks \(unknown.sorted().joined(separator: ", "))")
        }
        board.timeBase.stop()
        board.timeBase.set(try record.integer("time"))
        for (processor, state) in zip(board.processors, processors) { try processor.restore(state) }
        for device in board.devices { try device.restore(try devices.record(device.name)) }
        board.timeBase.start()
    }
}
