internal import Aerie
package import ControlAPI
internal import Glibc
internal import HostSystem

/// Receives a machine from a sender (`MigrationSender`), and lets it go on here.
package struct MigrationReceiver {
    private static let mostDisks = 64

    private let stream: TransferStream

    /// - Parameters:
    ///   - input, output: blocking descriptors of the connection, which outlive the receiver.
    package init(input: Int32, output: Int32) { stream = TransferStream(input: input, output: output) }

    /// Receives one machine.
    ///
    /// - Parameters:
    ///   - store: where the machine will be.
    ///   - name: nil for the name that it has at the sender.
    ///   - adapt: changes in the sender's record what is elsewhere here. The ID, the name and the machine's own files are this host's.
    ///   - finish: completes the machine's files in a directory, with the record here and that of the sender.
    ///   - start: starts the machine.
    /// - Throws: why there is no machine here; the sender was told, unless the connection is the reason.
    package func receive(
        into store: StateDirectory, name: String?,
        adapt: (inout MachineRecord) throws -> Void,
        finish: (_ work: String, _ here: MachineRecord, _ there: MachineRecord) throws -> Void,
        start: (Machine) throws -> Void
    ) throws -> Machine {
        SignalWatch.discard(SIGPIPE)
        do {
            let offer = try offer()
            let name = name ?? offer.machine.name
            let machine = try store.create(slowly: name) { id, work, directory in
                var record = offer.machine
                record.id = id
                record.name = name
                record.moveOwnFiles(ofMachine: offer.machine.id, to: directory)
                try adapt(&record)
                try stream.send(.answer, text: JSONValue.object([:]).text)
                try receiveFiles(offer, into: work)
                try finish(work, record, offer.machine)
                try stream.send(.ready)
                _ = try stream.receive(.commit)
                return record
            }
            do {
                try start(machine)
            } catch {
                // It goes on at the sender.
                try? store.remove(machine)
                throw error
            }
            // From here on the machine is here, whether the sender hears of it or not.
            try? stream.send(.outcome, text: JSONValue(encoding: MigrationOutcome(name: name)).text)
            return machine
        } catch let error as TransferError {
            throw AerieError(
                .inputOutput, asked: "a machine", found: error.description,
                advice: "it stays with its sender; try again")
        } catch {
            refuse(error as? AerieError ?? AerieError(.inputOutput, asked: "a machine", found: "\(error)"))
            throw error
        }
    }

    private func refuse(_ error: AerieError) {
        try? stream.send(.outcome, text: JSONValue.object(["error": error.json]).text)
    }

    private func offer() throws -> MigrationOffer {
        let value = try JSONValue(parsing: try stream.receive(.offer))
        guard value["version"]?.integer == MigrationOffer.currentVersion else {
            throw AerieError(
                .unavailable, asked: "a machine", found: "the sender's version of transfers is another one",
                advice: "use the same version of Aerie on both sides")
        }
        let offer: MigrationOffer
        do {
            offer = try value.decode(MigrationOffer.self)
        } catch { throw TransferError.damaged("the description of the machine cannot be read: \(error)") }
        let names = offer.disks.map(\.name)
        guard offer.machine.version == MachineRecord.currentVersion, names.count <= Self.mostDisks,
            Set(names).count == names.count,
            names.allSatisfy({ $0 == Machine.rootDiskName || Snapshot.isBase($0) })
        else { throw TransferError.damaged("the description of the machine is of another form") }
        return offer
    }

    // MARK: Files

    private func receiveFiles(_ offer: MigrationOffer, into work: String) throws {
        let state = try FileDescriptor(new: "\(work)/\(Machine.savedStateName)")
        let memoryFile = try FileDescriptor(new: "\(work)/\(Machine.savedMemoryName)")
        _ = try FileDescriptor(new: "\(work)/\(Machine.savedMoveName)")
        let memory = try TransferredMemory(file: memoryFile.rawValue, size: offer.memory)
        let disks = try offer.disks.map { try NewDiskFile("\(work)/\($0.name)") }
        while true {
            let (frame, data) = try stream.receive()
            switch (frame.kind, frame.file) {
            case (.complete, _):
                try Self.finish(disks, JSONValue(parsing: Array(data)).decode(MigrationSizes.self))
                return try VirtualMachine.checkTransfer(
                    state: state.rawValue, memory: memory, asked: "machine '\(offer.machine.name)'")
            case (.data, TransferredFile.memory), (.zeroes, TransferredFile.memory): try memory.store(frame, data)
            case (.data, TransferredFile.state): try state.writeAll(at: frame.offset, data)
            case (.data, _), (.zeroes, _):
                guard frame.file >= TransferredFile.disks, frame.file - TransferredFile.disks < UInt32(disks.count)
                else {
                    throw TransferError.damaged("a frame is about a file that was not offered")
                }
                try disks[Int(frame.file - TransferredFile.disks)].store(frame, data)
            default: throw TransferError.damaged("another frame came than the one that was due")
            }
        }
    }

    private static func finish(_ disks: [NewDiskFile], _ sizes: MigrationSizes) throws {
        guard sizes.disks.count == disks.count else { throw TransferError.damaged("sizes of other disks came") }
        for (disk, size) in zip(disks, sizes.disks) { try disk.finish(size: size) }
    }

    /// A disk's file as it comes.
    private final class NewDiskFile {
        private let file: FileDescriptor

        init(_ path: String) throws(SystemError) {
            file = try FileDescriptor(new: path)
        }

        func store(_ frame: TransferFrame, _ data: UnsafeRawBufferPointer) throws {
            if frame.kind == .data { return try file.writeAll(at: frame.offset, data) }
            guard frame.count <= UInt64(RepeatedCopy.blockSize) else {
                throw TransferError.damaged("a frame of zeroes is too long")
            }
            try file.writeAll(at: frame.offset, [UInt8](repeating: 0, count: Int(frame.count)))
        }

        /// The sender forgets the disk soon: it has to be on this host's storage.
        func finish(size: UInt64) throws(SystemError) {
            try file.truncate(to: min(size, UInt64(Int64.max)))
            try file.synchronize()
        }
    }
}
