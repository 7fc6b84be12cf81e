internal import Glibc
internal import GuestMemory
internal import HostSystem
internal import SavedState

/// Saving into files that somebody else has made, with the memory in one of its own, which a machine can map.
extension VirtualMachine {
    private static let checksumsField = "memoryChecksums"

    /// Saves a paused machine, which stays paused, into two empty files.
    ///
    /// - Parameters:
    ///   - state: a descriptor for vCPUs, devices, and the changes of disks with `Disk.Access.discardChanges`.
    ///   - memory: a descriptor for the memory, which becomes a sparse file (`MemoryImage`).
    /// - Throws: `usage` when the machine is not paused, `unavailable` when a device cannot be saved, and `notStarted` when a file cannot be
    ///   written.
    package func save(state: Int32, memory: Int32) throws(AerieError) {
        try whilePaused("save") { () throws(AerieError) in
            var record = try record(for: "a snapshot")
            do {
                record.set(Self.checksumsField, try MemoryImage.write(board.memory, to: try Self.file(memory)))
                try SavedMachineFile.write(record, contents: overlays, to: try Self.file(state))
            } catch {
                throw AerieError(
                    .notStarted, asked: "a snapshot", found: "\(error)",
                    advice: "the machine is unharmed; make room, or choose another place")
            }
        }
    }

    /// Starts a new machine, built with the memory of a saved one (`HostServices.memory`), from its state. Its configuration must equal that
    /// of the saved machine; the engine may differ.
    ///
    /// - Parameters:
    ///   - state: a descriptor of the file, which is read from its beginning.
    ///   - copies: disks, by their numbers, for whose contents the caller stands in.
    /// - Throws: `badInput` for a damaged file or one of another configuration, and the errors of `start()`.
    package func start(restoring state: Int32, except copies: Set<Int>) throws(AerieError) {
        try begin { () throws(AerieError) in
            do {
                let file = try Self.file(state)
                let record = try SavedMachineFile.readState(from: file)
                try verify(record, except: copies)
                try SavedMachineFile.readContents(overlays, from: file)
                try restore(record)
            } catch {
                throw AerieError(
                    .badInput, asked: "the saved state of the machine", found: "\(error)",
                    advice: "use the version of Aerie that has saved it")
            }
        }
    }

    /// Whether a memory file belongs to a saved state.
    ///
    /// - Parameters:
    ///   - state: a descriptor of the state, which is read from its beginning.
    ///   - memory: a descriptor of the memory. All of it is read.
    /// - Throws: `badInput` with the place of the first difference.
    package static func checkSnapshot(state: Int32, memory: Int32, asked: String) throws(AerieError) {
        do {
            let record = try SavedMachineFile.readState(from: try file(state))
            let size: UInt64 = try record.integer("memory")
            let checksums = try record.bytes(checksumsField, limit: 4 << 30)
            try MemoryImage.check(try file(memory), size: size, checksums: checksums)
        } catch {
            throw AerieError(
                .badInput, asked: asked, found: "\(error)", advice: "remove the snapshot; it cannot be used")
        }
    }

    /// Another descriptor of an open file.
    private static func file(_ descriptor: Int32) throws(SystemError) -> FileDescriptor {
        let file = FileDescriptor(owning: try checked("dup") { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) })
        _ = try checked("lseek") { lseek(file.rawValue, 0, SEEK_SET) }
        return file
    }
}
