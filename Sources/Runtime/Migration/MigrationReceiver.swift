internal import Aerie
package import ControlAPI
internal import Glibc
internal import HostSystem

/// Receives a machine from a sender (`MigrationSender`), and lets it go on here; or answers a sender's question over a new connection.
package final class MigrationReceiver {
    private static let mostDisks = 64
    /// How long a sender has for its last word, in milliseconds.
    private static let patience: Int32 = 10_000
    /// Seconds that a machine's processes have to end.
    private static let longestEnd = 10

    private let store: StateDirectory
    private let ledger: TransferLedger
    private let input: Int32
    private let output: Int32
    private let stream: TransferStream
    /// The sender's description of the machine.
    private var first: [UInt8] = []
    /// The transfer's name, when the sender may not know what has become of its machine.
    private var transfer: String?
    /// The sender's machine has the other end of the connection, and waits for what it has to send.
    private var sendsPages = false

    /// - Parameters:
    ///   - store: where the machine will be.
    ///   - input, output: blocking descriptors of the connection, which outlive the receiver.
    package init(into store: StateDirectory, input: Int32, output: Int32) {
        self.store = store
        ledger = TransferLedger(store)
        self.input = input
        self.output = output
        stream = TransferStream(input: input, output: output)
    }

    /// Whether the sender may ask, over a new connection, what has become of its machine.
    package var mayBeAsked: Bool { transfer != nil }

    /// The word that a machine runs here.
    package static func outcome(name: String) -> [UInt8] {
        JSONValue.object(["name": .string(name)]).text
    }

    // MARK: Questions

    /// Waits for the sender's first word, and answers it if it is a question.
    ///
    /// - Parameter start: starts a machine whose receiver was killed.
    /// - Returns: whether a question was answered for good; nil when a machine is offered, which `receive` takes.
    /// - Throws: what is neither.
    package func answer(start: (Machine) throws -> Void) throws -> Bool? {
        SignalWatch.discard(SIGPIPE)
        return try reporting { () throws -> Bool? in
            let (frame, data) = try stream.receive()
            if frame.kind == .offer {
                first = Array(data)
                return nil
            }
            guard frame.kind == .question,
                let question = try? JSONValue(parsing: Array(data)).decode(MigrationQuestion.self)
            else { throw TransferError.damaged("another frame came than the one that was due") }
            let identity = try ledger.identity()
            guard question.directory == identity else {
                refuse(
                    AerieError(
                        .inputOutput, asked: "the question for a machine",
                        found: "it was received in another directory of machines",
                        advice: "set XDG_STATE_HOME to that one"))
                return false
            }
            var outcome = MigrationOutcome()
            switch try ledger.fate(of: question.transfer, start: start) {
            case .here(let name): outcome.name = name
            case .lost(let name): (outcome.name, outcome.isLost) = (name, true)
            case .undecided: outcome.isUndecided = true
            case .absent: break
            }
            try stream.send(.outcome, text: JSONValue(encoding: outcome).text)
            return outcome.isUndecided != true && isHeard()
        }
    }

    /// Whether the sender has read what has become of its machine.
    private func isHeard() -> Bool {
        stream.hasInput(within: Self.patience) && (try? stream.receive(.heard)) != nil
    }

    private func reporting<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch let error as TransferError {
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
        guard transfer != nil else { return }
        if sendsPages { try? stream.send(.arrived) }
        if isHeard() { transfer = nil }
    }

    // MARK: A machine

    /// Receives the machine that was offered (`answer`).
    ///
    /// - Parameters:
    ///   - name: nil for the name that it has at the sender.
    ///   - adapt: changes in the sender's record what is elsewhere here. The ID, the name and the machine's own files are this host's.
    ///   - finish: completes the machine's files in a directory, with the record here and that of the sender.
    ///   - start: starts the machine, with the memory that it gets from this process.
    /// - Throws: why there is no machine here; the sender was told, unless the connection is the reason.
    package func receive(
        name: String?,
        adapt: (inout MachineRecord) throws -> Void,
        finish: (_ work: String, _ here: MachineRecord, _ there: MachineRecord) throws -> Void,
        start: (Machine, ArrivalDescriptors?) throws -> Void
    ) throws -> Machine {
        var lost: AerieError?
        let machine = try reporting { () throws -> Machine in
            let offer = try offer()
            let name = name ?? offer.machine.name
            var received: ReceivedMemory?
            var made: (files: [ArrivingFile], directory: String)?
            defer {
                // Somebody else may have cleared up before all of them were there.
                if let made, access(made.directory, F_OK) != 0 { for file in made.files { file.disappear() } }
            }
            guard !store.isTaken(name) else {
                throw AerieError(
                    .usage, asked: "a machine named '\(name)'", found: "the receiver has one already",
                    advice: "give the machine another name there, with 'aerie receive --name NEW'")
            }
            let machine = try store.create(slowly: name) { id, work, directory in
                var record = offer.machine
                record.id = id
                record.name = name
                record.moveOwnFiles(ofMachine: offer.machine.id, to: directory)
                if let transfer = offer.transfer { try ledger.begin(transfer, in: work) }
                try adapt(&record)
                let outside = try ArrivingFiles(
                    offer, besides: store.parent,
                    isImageElsewhere: record.image?.directory != offer.machine.image?.directory)
                let copied = try outside.make(in: work)
                made = (copied, directory)
                let isPostCopy = try accept(offer, outside.places)
                received = try receiveFiles(offer, copied.map(\.contents), into: work, isPostCopy: isPostCopy)
                try outside.requireBases(copied, of: offer)
                try finish(work, record, offer.machine)
                transfer = offer.transfer
                try stream.send(.ready)
                _ = try stream.receive(.commit)
                try outside.appear(copied, in: work)
                return record
            }
            made = nil
            guard let received else { preconditionFailure("a machine that was received has a memory") }
            lost = try run(machine, received, start)
            return machine
        }
        if let lost { throw lost }
        return machine
    }

    /// Starts a machine that is this receiver's now.
    ///
    /// - Returns: an error for a machine that has run and was lost.
    /// - Throws: why the machine has not run here; it is removed.
    private func run(
        _ machine: Machine, _ received: ReceivedMemory, _ start: (Machine, ArrivalDescriptors?) throws -> Void
    ) throws -> AerieError? {
        let name = machine.record.name
        var channel: ArrivalChannel?
        sendsPages = received.arePagesMissing
        do {
            if let transfer { try ledger.note(transfer, isPostCopy: received.arePagesMissing) }
            channel = try received.give(input: input, output: output) { try start(machine, $0) }
        } catch {
            switch received.mark {
            case .running?: return Self.lost(name)
            case .complete?: break
            case .prepared?, nil:
                // Somebody else may have started it, for a sender that has asked.
                if (error as? AerieError)?.category == .usage, machine.isRunning { break }
                throw remove(machine, after: error)
            }
        }
        guard received.arePagesMissing else {
            // From here on the machine is here, whether the sender hears of it or not.
            try? stream.send(.outcome, text: Self.outcome(name: name))
            if transfer != nil, isHeard() { transfer = nil }
            return nil
        }
        guard channel?.next() == .complete || received.mark == .complete else { return Self.lost(name) }
        if channel?.next() == .heard { transfer = nil }
        return nil
    }

    /// Removes a machine that has not run here.
    ///
    /// - Returns: the error of its start, with the reason if the machine is still here.
    private func remove(_ machine: Machine, after error: any Error) -> any Error {
        if let transfer { ledger.forget(transfer) }
        // The end of a process takes its time when it has gigabytes of memory.
        _ = machine.hasEnded(within: Self.longestEnd)
        do throws(AerieError) {
            try store.remove(machine, isTakenBack: true)
            return error
        } catch let reason {
            let first = error as? AerieError
            return AerieError(
                first?.category ?? .inputOutput, asked: first?.asked ?? "machine '\(machine.record.name)'",
                found: "\(first?.found ?? "\(error)"); it cannot be removed there either: \(reason.found)",
                advice: "remove it there with 'aerie rm --force \(machine.record.name)'")
        }
    }

    private static func lost(_ name: String) -> AerieError {
        AerieError(
            .inputOutput, asked: "machine '\(name)'",
            found:
                "the connection with its sender has ended before all of its memory was here; it has ended, as if its power were cut",
            advice: "see what the sender says; 'aerie start \(name)' boots it from its disk here")
    }

    /// Takes an offer.
    ///
    /// - Parameter outside: where the machine's files are that are not in its directory.
    /// - Returns: whether the machine may go on before its memory is here.
    private func accept(_ offer: MigrationOffer, _ outside: [OutsideFile.Place]) throws -> Bool {
        var answer = MigrationAnswer()
        if !outside.isEmpty { answer.outside = outside }
        if offer.transfer != nil { answer.directory = try ledger.identity() }
        if offer.postCopy == true {
            do throws(AerieError) {
                try VirtualMachine.checkPostCopy(offer.machine.configuration)
                answer.postCopy = true
            } catch { answer.postCopyRefusal = "\(error.found); \(error.advice)" }
        }
        try stream.send(.answer, text: JSONValue(encoding: answer).text)
        return answer.postCopy == true
    }

    private func offer() throws -> MigrationOffer {
        let value = try JSONValue(parsing: first)
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
        guard offer.machine.version == MachineRecord.currentVersion,
            names.count + (offer.outside?.count ?? 0) <= Self.mostDisks,
            Set(names).count == names.count, offer.transfer.map(TransferLedger.isName) ?? true,
            names.allSatisfy({ $0 == Machine.rootDiskName || Snapshot.isBase($0) })
        else { throw TransferError.damaged("the description of the machine is of another form") }
        return offer
    }

    // MARK: Files

    /// - Parameter outside: files that are not in the machine's directory.
    private func receiveFiles(
        _ offer: MigrationOffer, _ outside: [ReceivedDisk], into work: String, isPostCopy: Bool
    ) throws -> ReceivedMemory {
        let state = try FileDescriptor(new: "\(work)/\(Machine.savedStateName)")
        let received = try ReceivedMemory(size: offer.memory, in: work, isPostCopy: isPostCopy)
        _ = try FileDescriptor(new: "\(work)/\(Machine.savedMoveName)")
        let own = try offer.disks.map { disk throws(SystemError) in
            ReceivedDisk(try FileDescriptor(new: "\(work)/\(disk.name)"), modified: disk.modified)
        }
        let disks = own + outside
        while true {
            let (frame, data) = try stream.receive()
            switch (frame.kind, frame.file) {
            case (.complete, _):
                try Self.finish(disks, JSONValue(parsing: Array(data)).decode(MigrationSizes.self))
                try VirtualMachine.checkTransfer(
                    state: state.rawValue, memory: received.memory, asked: "machine '\(offer.machine.name)'")
                try received.finish()
                return received
            case (.missing, _): try received.memory.store(missing: Array(data))
            case (.data, TransferredFile.memory), (.zeroes, TransferredFile.memory):
                try received.memory.store(frame, data)
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

    private static func finish(_ disks: [ReceivedDisk], _ sizes: MigrationSizes) throws {
        guard sizes.disks.count == disks.count else { throw TransferError.damaged("sizes of other disks came") }
        for (disk, size) in zip(disks, sizes.disks) { try disk.finish(size: size) }
    }
}
