/// EXEC: a command, its streams, and how it ended.
final class Command: Work {
    private enum Phase {
        /// The new process has not yet become the command, or failed to.
        case starting
        case running
    }

    private var phase = Phase.starting
    private let request: ExecuteRequest
    private var start: CommandStart
    private var ended: CommandEnd?
    /// Which events the kernel reports now.
    private var watchedReport: UInt32 = 0
    private var watchedInput: UInt32 = 0
    private var watchedOutput: UInt32 = 0
    private var watchedErrors: UInt32 = 0
    /// Input that the command has not taken.
    private var waiting = RawBuffer()
    private var inputHasEnded = false
    /// Bytes that were taken since the last grant.
    private var owed = 0
    /// Set where a read may find bytes, or the end.
    private var outputIsReady = false
    private var errorsAreReady = false
    /// Which stream gives the next chunk, so that neither waits for the other's end.
    private var errorsAreNext = false
    /// Bytes that the streams may still give, once the command has ended and others hold them open.
    private var allowance: Int?

    /// Milliseconds that processes which hold the streams open get after the command's end.
    private static let grace: UInt64 = 250
    /// Milliseconds that the ends of the streams wait for EXIT.
    private static let lastWait: UInt64 = 5
    private static let window = Int(AgentLimits.credit)
    /// More than a pipe and a terminal hold.
    private static let lastBytes = 1 << 20

    init(_ session: Session, _ request: ExecuteRequest) throws(AgentFailure) {
        let account = try Account.find(request.user)
        guard let program = ChildProgram(request, account) else { throw AgentFailure.outOfMemory }
        self.request = request
        do throws(Errno) {
            start = try CommandStart(program, request)
        } catch {
            throw AgentFailure(.inside, request.arguments[0], error)
        }
        super.init(session)
    }

    /// What the client writes to, and reads from as stream 1.
    private var inputNumber: Int32? { request.hasTerminal ? start.outputNumber : start.inputNumber }

    // MARK: From the client

    override func take(_ bytes: UnsafeRawBufferPointer) throws(AgentFailure) {
        guard phase == .running, request.hasInput else { throw AgentFailure.wrongState }
        var rest = bytes
        if waiting.isEmpty {
            guard let count = writeInput(rest) else {
                owed += rest.count
                return
            }
            owed += count
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        if !rest.isEmpty, !waiting.append(rest) { throw AgentFailure.outOfMemory }
    }

    override func takeEnd() throws(AgentFailure) {
        guard phase == .running, request.hasInput else { throw AgentFailure.wrongState }
        inputHasEnded = true
        endInputIfDone()
    }

    override func takeSignal(_ number: UInt32) throws(AgentFailure) {
        // The number of a process that was collected may be another's.
        guard ended == nil else { return }
        // Until the process leads its group, only the process itself can be meant.
        guard phase == .running else { return Process.signal(start.process, Int32(number)) }
        let group = request.hasTerminal ? start.outputNumber.flatMap { Terminal.foregroundGroup($0) } : nil
        Process.signal(-(group ?? start.process), Int32(number))
    }

    override func takeWindow(rows: UInt16, columns: UInt16) throws(AgentFailure) {
        guard request.hasTerminal else { throw AgentFailure.wrongState }
        if let number = start.outputNumber { Terminal.setWindow(number, rows: rows, columns: columns) }
    }

    // MARK: Input

    /// Writes to the command; nil if it has closed its input.
    private func writeInput(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard let number = inputNumber else { return nil }
        let count = system(SystemCall.write, Int(number), Int(bitPattern: bytes.baseAddress), bytes.count)
        if count == -Int(Errno.again.number) || count == -Int(Errno.interrupted.number) { return 0 }
        guard count >= 0 else {
            closeInput()
            return nil
        }
        return count
    }

    private func flushInput() {
        while !waiting.isEmpty {
            guard let count = writeInput(waiting.bytes) else { return }
            if count == 0 { return }
            waiting.take(count)
            owed += count
        }
        waiting.release()
        endInputIfDone()
    }

    private func closeInput() {
        owed += waiting.count
        waiting.release()
        guard let number = start.inputNumber else { return }
        watch(number, &watchedInput, 0, .input)
        start.input = nil
    }

    private func endInputIfDone() {
        guard inputHasEnded, waiting.isEmpty else { return }
        guard request.hasTerminal else { return closeInput() }
        // A terminal's input ends with a character.
        guard let number = start.outputNumber else { return }
        var character: UInt8 = 4
        _ = withUnsafeMutablePointer(to: &character) {
            system(SystemCall.write, Int(number), Int(bitPattern: $0), 1)
        }
    }

    // MARK: Events

    override func handle(_ role: EventKey.Role, _ events: UInt32) {
        switch role {
        case .report: readReport()
        case .input: flushInput()
        case .output:
            if request.hasTerminal, events & Poller.writable != 0 { flushInput() }
            if events & ~Poller.writable != 0 { outputIsReady = true }
        case .errorOutput: errorsAreReady = true
        default: break
        }
    }

    private func readReport() {
        guard let number = start.reportNumber else { return }
        var words: (UInt32, UInt32) = (0, 0)
        let count = withUnsafeMutablePointer(to: &words) {
            system(SystemCall.read, Int(number), Int(bitPattern: $0), 8)
        }
        if count == -Int(Errno.again.number) || count == -Int(Errno.interrupted.number) { return }
        watch(number, &watchedReport, 0, .report)
        start.report = nil
        if count == 8 { return session.fail(failure(ChildProgram.Stage(rawValue: words.0), Errno(Int32(words.1)))) }
        phase = .running
        session.send(.started(processID: UInt32(start.process)))
        if request.hasInput { session.grant(Self.window) }
    }

    private func failure(_ stage: ChildProgram.Stage?, _ error: Errno) -> AgentFailure {
        let program = request.arguments[0]
        switch stage {
        case .directory: return AgentFailure(.badDirectory, request.directory ?? [UInt8]("/"), error)
        case .user: return AgentFailure(.badUser, request.user ?? [UInt8]("root"), error)
        case .program where error == .noEntry && !program.contains(UInt8(ascii: "/")):
            return AgentFailure(.notFound, errno: 2, text: .quoted(program, "no such program in the guest's PATH"))
        case .program: return AgentFailure(error == .noEntry ? .notFound : .notExecutable, program, error)
        case .terminal, nil: return AgentFailure(.inside, program, error)
        }
    }

    override func processEnded(_ process: Int32, _ end: CommandEnd) -> Bool {
        guard process == start.process, ended == nil else { return false }
        ended = end
        // Both streams have ended, unless others hold them open.
        outputIsReady = true
        errorsAreReady = true
        session.sendsAt = 0
        session.deadline = Clock.milliseconds + Self.grace
        session.drive()
        return true
    }

    override func runDeadline() {
        guard ended != nil else { return }
        allowance = Self.lastBytes
        outputIsReady = true
        errorsAreReady = true
    }

    // MARK: To the client

    override func produce() -> Bool {
        guard phase == .running else { return false }
        if owed >= Self.window / 4, !inputHasEnded {
            session.grant(owed)
            owed = 0
            return true
        }
        for _ in 0..<2 {
            errorsAreNext.toggle()
            if errorsAreNext ? produceErrors() : produceOutput() { return true }
        }
        guard let ended, start.outputNumber == nil, start.errorsNumber == nil else { return false }
        session.send(.exit(ended))
        session.finish()
        return true
    }

    private func produceOutput() -> Bool {
        guard outputIsReady, let number = start.outputNumber else { return false }
        switch read(number, stream: 1, isTerminal: request.hasTerminal) {
        case .bytes(let count):
            outputIsReady = count == Session.chunk || allowance != nil
            return true
        case .nothing:
            outputIsReady = false
            return false
        case .end(let isReal):
            watch(number, &watchedOutput, 0, .output)
            start.output = nil
            if isReal { sendEnd(of: 1) }
            return isReal
        }
    }

    private func produceErrors() -> Bool {
        guard errorsAreReady, let number = start.errorsNumber else { return false }
        switch read(number, stream: 2, isTerminal: false) {
        case .bytes(let count):
            errorsAreReady = count == Session.chunk || allowance != nil
            return true
        case .nothing:
            errorsAreReady = false
            return false
        case .end(let isReal):
            watch(number, &watchedErrors, 0, .errorOutput)
            start.errors = nil
            if isReal { sendEnd(of: 2) }
            return isReal
        }
    }

    private func sendEnd(of stream: UInt8) {
        session.send(.end(stream: stream))
        // A process that ends closes its descriptors one by one, and its parent hears of the end a moment later.
        if ended == nil { session.hold(milliseconds: Self.lastWait) }
    }

    private enum ReadResult {
        case bytes(Int)
        case nothing
        /// The stream is over: nobody can write to it any more, or (not real) nobody waits for those who can.
        case end(isReal: Bool)
    }

    private func read(_ number: Int32, stream: UInt8, isTerminal: Bool) -> ReadResult {
        if let allowance, allowance <= 0 { return .end(isReal: false) }
        let count = session.sendData(stream: stream) { place, size in
            system(SystemCall.read, Int(number), Int(bitPattern: place), size)
        }
        if count > 0 {
            if let allowance { self.allowance = allowance - count }
            return .bytes(count)
        }
        if count == -Int(Errno.again.number) || count == -Int(Errno.interrupted.number) {
            return allowance == nil ? .nothing : .end(isReal: false)
        }
        // The read of a terminal that no process has open fails with EIO.
        return .end(isReal: true)
    }

    override func chooseEvents(canProduce: Bool) {
        if let number = start.reportNumber { watch(number, &watchedReport, Poller.readable, .report) }
        let reads = canProduce && phase == .running ? Poller.readable : 0
        let writes = waiting.isEmpty ? 0 : Poller.writable
        if let number = start.inputNumber { watch(number, &watchedInput, writes, .input) }
        if let number = start.outputNumber {
            watch(number, &watchedOutput, reads | (request.hasTerminal ? writes : 0), .output)
        }
        if let number = start.errorsNumber { watch(number, &watchedErrors, reads, .errorOutput) }
    }

    private func watch(_ number: Int32, _ old: inout UInt32, _ new: UInt32, _ role: EventKey.Role) {
        session.agent.poller.set(number, from: old, to: new, key: session.key(role))
        old = new
    }

    // MARK: The end

    override func abandon() {
        if ended == nil {
            if let group = start.outputNumber.flatMap({ request.hasTerminal ? Terminal.foregroundGroup($0) : nil }) {
                Process.signal(-group, Process.Signal.hangUp)
            }
            Process.signal(start.process, Process.Signal.hangUp)
            Process.signal(-start.process, Process.Signal.hangUp)
            Process.signal(-start.process, Process.Signal.goOn)
        }
        start.close()
        watchedReport = 0
        watchedInput = 0
        watchedOutput = 0
        watchedErrors = 0
        waiting.release()
    }
}
