internal import Glibc
internal import GuestMemory
package import HostSystem
internal import PlatformDevices
internal import SavedState
internal import TranslationRuntime

/// Saving into files that somebody else has made, with the memory in one of its own, which a machine can map.
extension VirtualMachine {
    private static let checksumsField = "memoryChecksums"
    /// The lowest duty cycle, in percent, of a guest that is slowed down.
    private static let leastDutyCycle = 6

    /// Saves a machine into two empty files. It is paused afterwards.
    ///
    /// The memory of a running machine is copied while it runs, where the host's kernel logs writes (`WriteLog`), and the machine stands
    /// still for the rest only.
    ///
    /// - Parameters:
    ///   - state: a descriptor for vCPUs, devices, and the changes of disks with `Disk.Access.discardChanges`.
    ///   - memory: a descriptor for the memory, which becomes a sparse file (`MemoryImage`).
    /// - Throws: `usage` when the machine neither runs nor is paused, `unavailable` when a device cannot be saved, and `notStarted` when a
    ///   file cannot be written. The machine goes on then if it was running.
    package func save(state: Int32, memory: Int32) throws(AerieError) -> SavingReport {
        let image = try saving(.snapshot) { () throws(SystemError) in
            try MemoryImageFile(try Self.file(memory), size: board.memory.size)
        }
        return try save(.snapshot, memory: image, state: state, TransferOptions())
    }

    /// Writes the code that was generated for the guest into an empty file, by which a machine that goes on from a saved state need not generate
    /// it again (`HostServices.code`). The machine may run. The state need not be of the same moment.
    ///
    /// - Parameters:
    ///   - descriptor: of the file, which stays empty where there is no code.
    ///   - isForFork: nobody changes the file afterwards, so that later calls may give it. The file stays empty when another one has nearly
    ///     all of the code.
    /// - Returns: that other file; nil without one. It is the caller's to close.
    /// - Throws: `usage` when the machine neither runs nor is paused, and `notStarted` when the file cannot be written; it is empty then.
    @discardableResult
    package func saveCode(_ descriptor: Int32, isForFork: Bool = false) throws(AerieError) -> Int32? {
        let state = currentState
        guard state == .running || state == .paused else {
            throw AerieError(.usage, asked: "the generated code", found: "the machine is \(state)", advice: "start it")
        }
        do throws(SystemError) {
            if isForFork, let shared = try board.sharedCode() { return shared.release() }
            let file = try Self.file(descriptor)
            do throws(SystemError) { try board.saveCode(to: file, isShared: isForFork) } catch {
                try? file.truncate(to: 0)
                throw error
            }
            return nil
        } catch { throw AerieError(.notStarted, asked: "the generated code", found: error.description) }
    }

    /// Sends the memory of a machine over a stream, and saves the rest into an empty file. The machine is paused afterwards. A guest that
    /// writes faster than its memory is sent is slowed down, to a sixteenth of the time at most; or what is left then is not sent
    /// (`TransferOptions.PostCopy`): the stream gets the list of these pages, which `sendPages` sends.
    ///
    /// - Parameters:
    ///   - state: as of `save`.
    ///   - stream: a descriptor of a pipe or a socket, for frames of the file `TransferredFile.memory`.
    /// - Throws: as `save`.
    package func transfer(
        state: Int32, stream: Int32, _ options: TransferOptions
    ) throws(AerieError) -> SavingReport {
        let memory = MemoryStream(stream, options)
        defer { setDutyCycle(percent: nil) }
        var report = try save(.transfer, memory: memory, state: state, options)
        do throws(TransferError) {
            try memory.send(missing: report.missing)
        } catch {
            if report.wasRunning { try? resume() }
            throw SavingPurpose.transfer.failure("\(error)")
        }
        report.sentCount = memory.sentCount
        return report
    }

    private func save(
        _ purpose: SavingPurpose, memory sink: any MemorySink, state: Int32, _ options: TransferOptions
    ) throws(AerieError) -> SavingReport {
        try requireMemory(purpose)
        let copier = MemoryCopier(board.memory, to: sink)
        let log = try beginLog(purpose)
        defer { log?.end() }
        let isEnough = try log.map { (log) throws(AerieError) in try copyRunning(copier, log, purpose, options) }
        let leavesPages = options.postCopy != .never && currentState == .running && isEnough != true
        var missing: [Range<UInt64>] = []
        var report = try standingStill(purpose, state: state) { (record) throws(AerieError) in
            missing = try saving(purpose) { () throws(SystemError) in
                try copyRest(copier, log, leavesPages: leavesPages)
            }
            record.set(Self.checksumsField, copier.encodedChecksums)
        }
        report.missing = missing
        return report
    }

    /// A machine whose memory is not all there cannot be saved.
    func requireMemory(_ purpose: SavingPurpose) throws(AerieError) {
        guard board.memory.arriving?.areMissing == true else { return }
        throw AerieError(
            .unavailable, asked: purpose.asked, found: "the machine's own memory is still coming from its former host",
            advice: "try again in a moment")
    }

    /// Pauses the machine, and saves everything but its memory into an empty file.
    ///
    /// - Parameter body: is called while the machine stands still, with what is saved.
    /// - Throws: as `save`; the machine goes on then if it was running.
    func standingStill(
        _ purpose: SavingPurpose, state: Int32, _ body: (inout SavedRecord) throws(AerieError) -> Void
    ) throws(AerieError) -> SavingReport {
        let report = SavingReport(wasRunning: currentState == .running, pausedAt: HostClock.monotonic())
        if report.wasRunning { try pause() }
        do throws(AerieError) {
            try whilePaused("save") { () throws(AerieError) in
                var record = try record(for: purpose.asked)
                try body(&record)
                try saving(purpose) {
                    try SavedMachineFile.write(record, contents: overlays, to: try Self.file(state))
                }
            }
        } catch {
            if report.wasRunning { try? resume() }
            throw error
        }
        return report
    }

    /// Copies the memory while the guest runs.
    ///
    /// - Returns: whether so little is left that the guest may stand still for it.
    private func copyRunning(
        _ copier: MemoryCopier, _ log: WriteLog, _ purpose: SavingPurpose, _ options: TransferOptions
    ) throws(AerieError) -> Bool {
        var dutyCycle = 100
        return try saving(purpose) { () throws(SystemError) in
            if options.postCopy == .always {
                try copier.copyAll()
                return false
            }
            return try copier.copyRunning(log, until: options.bytesOfAPause) {
                guard purpose == .transfer, options.postCopy == .never, dutyCycle > Self.leastDutyCycle else {
                    return false
                }
                dutyCycle /= 2
                setDutyCycle(percent: dutyCycle)
                return true
            }
        }
    }

    /// Copies what a machine that stands still has written since.
    ///
    /// - Returns: the pages that were not copied, which are none unless `leavesPages`.
    private func copyRest(
        _ copier: MemoryCopier, _ log: WriteLog?, leavesPages: Bool
    ) throws(SystemError) -> [Range<UInt64>] {
        guard leavesPages else {
            if let log { try copier.copy(try log.take()) } else { try copier.copyAll() }
            return []
        }
        if let log { return try log.take() }
        return MissingPages.pages(try copier.data(), size: board.memory.size)
    }

    /// The log of a running machine's writes, which is on; nil for a machine that stands still, and without a log.
    func beginLog(_ purpose: SavingPurpose) throws(AerieError) -> WriteLog? {
        guard currentState == .running, let log = board.memory.writeLog else { return nil }
        return try saving(purpose) { () throws(SystemError) in try log.begin() } ? log : nil
    }

    func saving<Result, Failure: Error>(
        _ purpose: SavingPurpose, _ body: () throws(Failure) -> Result
    ) throws(AerieError) -> Result {
        do { return try body() } catch { throw purpose.failure("\(error)") }
    }

    /// Starts a new machine, built with the memory of a saved one (`HostServices.memory`), from its state. Its configuration must equal that
    /// of the saved machine; the engine may differ.
    ///
    /// - Parameters:
    ///   - state: a descriptor of the file, which is read from its beginning.
    ///   - copies: disks, by their numbers, for whose contents the caller stands in.
    ///   - isCopy: whether the guest is told that it is a copy (generation ID); false for the same machine at another place.
    ///   - beforeRunning: called when nothing but the guest's first instruction is left.
    /// - Throws: `badInput` for a damaged file or one of another configuration, `unavailable` where this host lacks what the machine needs, and
    ///   the errors of `start()`.
    package func start(
        restoring state: Int32, except copies: Set<Int>, isCopy: Bool = true,
        beforeRunning: () throws(AerieError) -> Void = {}
    ) throws(AerieError) {
        try begin(beforeRunning: beforeRunning) { () throws(AerieError) in
            do {
                let file = try Self.file(state)
                let record = try SavedMachineFile.readState(from: file)
                try verify(record, except: copies)
                try SavedMachineFile.readContents(overlays, from: file)
                try restore(record)
                if isCopy { try board.generation?.renew() }
            } catch SavedStateError.cannotRestore(let name, let reason) {
                // The state is sound, and this host lacks something.
                let (found, advice) =
                    reason.divided(at: "; ") ?? (reason, "restore it on a host like the one that saved it")
                throw AerieError(
                    .unavailable, asked: "the saved state of the machine", found: "\(name): \(found)", advice: advice)
            } catch {
                var advice = "use the version of Aerie that has saved it"
                if case SavedStateError.changed = error {
                    advice = "give it the file as it was when the machine was saved"
                }
                throw AerieError(
                    .badInput, asked: "the saved state of the machine", found: "\(error)", advice: advice)
            }
        }
    }

    /// Compares a saved memory with the checksums in its state. All of it is read.
    ///
    /// - Parameters:
    ///   - state: a descriptor of the state, which is read from its beginning.
    ///   - owners: for each file of a memory with a map, the name of the snapshot that it was made for.
    ///   - suspects: numbers of files that may have changed, if that is known.
    /// - Throws: `badInput` with the place of the first difference, and the names of the snapshots whose files it may be in.
    package static func checkSnapshot(
        state: Int32, memory files: SavedMemoryFiles, owners: [String] = [], suspects: Set<Int> = [], asked: String
    ) throws(AerieError) {
        func damage(_ found: String) -> AerieError {
            AerieError(.badInput, asked: asked, found: found, advice: "remove the snapshot; it cannot be used")
        }
        do {
            let record = try SavedMachineFile.readState(from: try file(state))
            let size: UInt64 = try record.integer("memory")
            let checksums = try record.bytes(checksumsField, limit: 4 << 30)
            let memory = try SavedMemory(files)
            guard let fault = memory.fault(size: size, checksums: checksums) else { return }
            throw damage("\(fault)\(memory.place(of: fault, owners, suspects))")
        } catch let error as AerieError {
            throw error
        } catch { throw damage("\(error)") }
    }

    /// Whether two files of `saveCode` have code for the same program, processor and size of the code cache.
    package static func haveCodeOfOneOrigin(_ first: borrowing FileDescriptor, _ second: borrowing FileDescriptor)
        -> Bool
    {
        SavedCodeFile.haveOneOrigin(first, second)
    }

    /// Whether a file of `saveCode` is as it was written. All of it is read.
    package static func isCodeIntact(_ file: borrowing FileDescriptor) -> Bool { SavedCodeFile.isIntact(file) }

    /// Whether the memory whose blocks have these checksums, as a receiver has counted them, is the one of a saved state.
    ///
    /// - Throws: `badInput` for a state that is damaged, and for other memory.
    package static func checkTransfer(
        state: Int32, memory: TransferredMemory, asked: String
    ) throws(AerieError) {
        do {
            let record = try SavedMachineFile.readState(from: try file(state))
            let size: UInt64 = try record.integer("memory")
            guard size == memory.size, try record.bytes(checksumsField, limit: 4 << 30) == memory.encodedChecksums
            else { throw TransferError.damaged("the memory has other contents than those saved") }
        } catch { throw AerieError(.badInput, asked: asked, found: "\(error)") }
    }

    /// Another descriptor of an open file.
    static func file(_ descriptor: Int32) throws(SystemError) -> FileDescriptor {
        let file = try FileDescriptor(duplicating: descriptor)
        _ = try checked("lseek") { lseek(file.rawValue, 0, SEEK_SET) }
        return file
    }
}

/// What was saved.
package struct SavingReport: Sendable {
    /// Whether the machine was running before.
    package let wasRunning: Bool
    /// When it was about to stand still, by the monotonic clock.
    package let pausedAt: UInt64
    /// Bytes that a transfer has sent over its stream.
    package var sentCount: UInt64 = 0
    /// The parts of the memory that a transfer has not sent.
    package var missing: [Range<UInt64>] = []
}

/// What a machine is saved for.
enum SavingPurpose {
    case snapshot, fork, transfer

    var asked: String {
        switch self {
        case .snapshot: "a snapshot"
        case .fork: "a fork"
        case .transfer: "a transfer"
        }
    }

    func failure(_ found: String) -> AerieError {
        switch self {
        case .snapshot, .fork:
            AerieError(
                .notStarted, asked: asked, found: found,
                advice: "the machine is unharmed; make room, or choose another place")
        case .transfer: AerieError(.inputOutput, asked: asked, found: found, advice: "the machine is unharmed")
        }
    }
}
