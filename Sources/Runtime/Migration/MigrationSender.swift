package import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// Sends a running machine to a receiver, which lets it go on.
///
/// The machine runs while its disks and its memory are sent, and stands still for the rest. Until the receiver has all of it, any failure lets
/// it go on here. Then it is handed over: it stands still here until the receiver has said what became of it. When the connection ends
/// meanwhile, the sender asks over new ones (`MigrationQuestions`).
package struct MigrationSender {
    /// What became of a machine, with durations in microseconds.
    package struct Report: Encodable, Sendable {
        /// The machine's name at the receiver.
        package let name: String
        /// From the connection to the receiver's last word.
        package let microseconds: UInt64
        /// From the moment at which the guest stood still here to the receiver's word that it runs; nil for a machine that was paused before.
        package let downtimeMicroseconds: UInt64?
        /// Bytes that were sent.
        package let sentBytes: UInt64
        /// Those of them that were sent after the guest had gone on at the receiver; nil for a guest that has gone on when all was there.
        package let postCopyBytes: UInt64?
        /// Paths of disks that were sent, and stay here as well; nil for none.
        package let copiedDisks: [String]?
    }

    private let machine: Machine
    private let options: TransferOptions
    private let warn: (AerieError) -> Void
    private let peer: MigrationQuestions.Peer?
    private let willHandOver: () -> Void
    private let transfer: String
    private let stream: TransferStream
    private let input: Int32
    private let output: Int32
    /// Milliseconds for a receiver's last word.
    private static let patience: Int32 = 2000

    /// - Parameters:
    ///   - input, output: blocking descriptors of the connection, which outlive the sender.
    ///   - peer: how the receiver is asked over new connections; nil where nobody can.
    ///   - willHandOver: called when the connection must not be cut any more.
    ///   - warn: called with what is done in another way than it was asked for.
    package init(
        _ machine: Machine, input: Int32, output: Int32, _ options: TransferOptions,
        peer: MigrationQuestions.Peer? = nil, willHandOver: @escaping () -> Void = {},
        warn: @escaping (AerieError) -> Void = { _ in }
    ) throws(AerieError) {
        self.machine = machine
        self.options = options
        self.warn = warn
        self.peer = peer
        self.willHandOver = willHandOver
        transfer = try TransferLedger.newName()
        self.input = input
        self.output = output
        stream = TransferStream(input: input, output: output, options)
    }

    private var asked: String { "migrating machine '\(machine.record.name)'" }

    /// Sends the machine. It stands still here afterwards, and is the receiver's.
    ///
    /// - Throws: the receiver's refusal, or why the connection ended. The machine goes on here then, or stands still if the receiver may have it:
    ///   the error says so.
    package func send() throws -> Report {
        SignalWatch.discard(SIGPIPE)
        let begun = HostClock.monotonic()
        let state: SentState
        let client = try ControlClient(machine)
        let disks = try offeredDisks()
        let outside = try SentFiles(machine, asked: asked)
        let places: [OutsideFile.Place]?
        let handover: MigrationHandover
        do {
            let answer = try offer(disks.map(\.name), outside)
            places = answer.outside
            let copies = try disks.map(\.copy) + outside.copies(places)
            for (index, copy) in copies.enumerated() { _ = try send(copy, number: index) }
            state = try sendState(client, copies, postCopy: answer.postCopy == true)
            let questions = peer.flatMap { peer in
                answer.directory.map { MigrationQuestions(transfer: transfer, directory: $0, peer: peer) }
            }
            handover = MigrationHandover(machine, client, stream, input: input, output: output, options, questions)
        } catch let error as AerieError where error.category != .inputOutput {
            throw error
        } catch {
            // The receiver may have said why before it ended the connection.
            throw refusal() ?? failure((error as? AerieError)?.found ?? "\(error)")
        }
        willHandOver()
        try hold(client, outside.shared(places))
        let result = try state.arePagesMissing ? handover.withPages() : handover.whole()
        return Report(
            name: result.name, microseconds: (HostClock.monotonic() - begun) / 1000,
            downtimeMicroseconds: state.pausedAt.map { (max(result.heardAt, $0) - $0) / 1000 },
            sentBytes: state.memoryCount + stream.sentCount + result.pagesCount,
            postCopyBytes: state.arePagesMissing ? result.pagesCount : nil,
            copiedDisks: outside.left(places).isEmpty ? nil : outside.left(places))
    }

    /// Gives the machine away, with the locks of disks that both hosts see.
    private func hold(_ client: ControlClient, _ shared: [String]) throws {
        var parameters: [String: JSONValue] = [:]
        if !shared.isEmpty { parameters["disks"] = .array(shared.map { .string($0) }) }
        do throws(AerieError) { try client.call(.hold, parameters) } catch {
            throw machine.goingOn(client, after: error)
        }
        do throws(TransferError) { try stream.send(.commit) } catch {
            // What was not sent is not there.
            let found = refusal()
            throw machine.goingOn(client, after: found ?? failure(error.description))
        }
    }

    // MARK: What is sent

    private func offeredDisks() throws -> [(name: String, copy: RepeatedCopy)] {
        var names = Snapshot.bases(in: machine.directory)
        if access(machine.file(Machine.rootDiskName), F_OK) == 0 { names.append(Machine.rootDiskName) }
        let configuration = machine.record.configuration
        for path in [configuration.kernel, configuration.initrd, configuration.firmware].compactMap({ $0 })
        where path.hasPrefix("\(machine.directory)/") {
            throw AerieError(
                .unavailable, asked: asked,
                found: "its kernel or firmware is in its own directory, as an imported snapshot has it",
                advice: "export a snapshot of it, and import that at the destination")
        }
        return try names.map { ($0, try RepeatedCopy(of: machine.file($0))) }
    }

    private func modified(_ name: String) -> Int64? {
        guard Snapshot.isBase(name) else { return nil }
        return (try? SnapshotRecord.Stamp(file: machine.file(name)))?.modified
    }

    private func offer(_ names: [String], _ outside: SentFiles) throws -> MigrationAnswer {
        let wantsPostCopy = options.postCopy != .never
        let offer = MigrationOffer(
            machine: outside.record, memory: machine.record.configuration.memorySize,
            disks: names.map { MigrationOffer.File(name: $0, modified: modified($0)) }, transfer: transfer,
            postCopy: wantsPostCopy ? true : nil, outside: outside.files.isEmpty ? nil : outside.files)
        try stream.send(.offer, text: JSONValue(encoding: offer).text)
        let answer = try JSONValue(parsing: try stream.expect(.answer)).decode(MigrationAnswer.self)
        guard wantsPostCopy, answer.postCopy != true else { return answer }
        let refusal = AerieError(
            .unavailable, asked: "\(asked) by post-copy",
            found: answer.postCopyRefusal ?? "the receiver's version of Aerie cannot do it")
        if options.postCopy == .always { throw refusal }
        warn(refusal)
        return answer
    }

    private func send(_ copy: RepeatedCopy, number: Int) throws -> UInt64 {
        try copy.copy { offset, count, bytes in
            try stream.send(bytes, count: count, of: TransferredFile.disks + UInt32(number), at: offset)
        }
    }

    /// What is known when everything was sent.
    private struct SentState {
        /// When the guest stood still, by this process's monotonic clock.
        let pausedAt: UInt64?
        /// Bytes that the machine itself has sent.
        let memoryCount: UInt64
        /// Whether a part of the memory is still to be sent.
        let arePagesMissing: Bool
    }

    /// Sends the memory, which the machine does itself, then what is left once it stands still.
    private func sendState(_ client: ControlClient, _ disks: [RepeatedCopy], postCopy: Bool) throws -> SentState {
        let state = try makeMemoryFile(name: "machine-state", size: 0)
        var parameters = options.parameters
        if postCopy { parameters["postCopy"] = .string(options.postCopy.rawValue) }
        let answer = try client.call(.transfer, parameters, files: [state.rawValue, output])
        let paused = answer["pausedMicroseconds"]?.integer.flatMap { UInt64(exactly: $0) } ?? 0
        let pausedAt = HostClock.monotonic() - paused * 1000
        let sizes = try disks.enumerated().map { index, copy in try send(copy, number: index) }
        try sendAll(of: state)
        try stream.send(.complete, text: JSONValue(encoding: MigrationSizes(disks: sizes)).text)
        _ = try stream.expect(.ready)
        return SentState(
            pausedAt: answer["wasRunning"] == .boolean(true) ? pausedAt : nil,
            memoryCount: answer["sentBytes"]?.integer.flatMap { UInt64(exactly: $0) } ?? 0,
            arePagesMissing: answer["missingBytes"]?.integer ?? 0 > 0)
    }

    private func sendAll(of state: borrowing FileDescriptor) throws {
        var bytes = [UInt8](repeating: 0, count: RepeatedCopy.blockSize)
        var offset: UInt64 = 0
        while true {
            let count = try bytes.withUnsafeMutableBytes { try state.read(at: offset, into: $0) }
            guard count > 0 else { return }
            try bytes[..<count].withUnsafeBytes {
                try stream.send($0, count: count, of: TransferredFile.state, at: offset)
            }
            offset += UInt64(count)
        }
    }

    private func failure(_ found: String) -> AerieError {
        let advice =
            machine.isRunning ? "the machine goes on here; try again" : "see 'aerie inspect \(machine.record.name)'"
        return AerieError(.inputOutput, asked: asked, found: found, advice: advice)
    }

    /// What the receiver said before it ended the connection; nil for nothing.
    private func refusal() -> AerieError? {
        // Of a socket: the receiver that still waits learns that nothing comes.
        shutdown(output, Int32(SHUT_WR))
        guard stream.hasInput(within: Self.patience), let (frame, data) = try? stream.receive(), frame.kind == .outcome
        else { return nil }
        return (try? JSONValue(parsing: Array(data)))?["error"].flatMap { AerieError(json: $0) }
    }
}

extension TransferStream {
    /// The text of the frame that is due.
    ///
    /// - Throws: the receiver's refusal as `AerieError`, `TransferError` for all else.
    func expect(_ kind: TransferFrame.Kind) throws -> [UInt8] {
        let (frame, data) = try receive()
        let text = Array(data)
        if frame.kind == .outcome || frame.kind == .answer, let value = try? JSONValue(parsing: text),
            let refusal = value["error"].flatMap({ AerieError(json: $0) })
        {
            throw refusal
        }
        guard frame.kind == kind else { throw TransferError.damaged("another frame came than the one that was due") }
        return text
    }
}

extension TransferOptions {
    /// The parameters of a request to the machine.
    var parameters: [String: JSONValue] {
        var parameters: [String: JSONValue] = ["compressed": .boolean(isCompressed)]
        if let bandwidth { parameters["bandwidth"] = JSONValue(bandwidth) }
        return parameters
    }
}
