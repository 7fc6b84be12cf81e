import Support

/// The agent: one thread, one event queue, up to 256 sessions.
final class Agent {
    let options: AgentOptions
    let poller: Poller
    let bootID: [UInt8]
    private(set) var sessions: [Session?] = []
    private(set) var liveSessions = 0
    private var generation: UInt32 = 0
    private var lastConnection: UInt32 = 0
    private var listener: Listener
    private let signals: Descriptor
    private var controlPort: ControlPort?
    private var kernelLog: KernelLog?
    private var isEnding = false
    private var hasBooted = false

    init(_ options: AgentOptions) throws(Errno) {
        self.options = options
        poller = try Poller()
        bootID = GuestFacts.bootID
        signals = try Process.signalDescriptor(
            1 << UInt64(Process.Signal.child - 1) | 1 << UInt64(Process.Signal.terminate - 1)
                | 1 << UInt64(Process.Signal.interrupt - 1) | 1 << UInt64(Process.Signal.user2 - 1))
        listener = Listener(options)
        poller.set(signals.number, from: 0, to: Poller.readable, key: EventKey(.signals))
        if let name = options.controlPort { controlPort = ControlPort(name) }
        controlPort?.register(poller)
        if options.watchesKernelLog {
            kernelLog = KernelLog()
            kernelLog?.register(poller)
        }
    }

    /// Serves until the agent is told to end.
    func run() {
        while !isEnding {
            listenIfNeeded()
            poller.wait(milliseconds: timeout) { key, events in handle(key, events) }
            runDeadlines()
        }
    }

    private func listenIfNeeded() {
        guard listener.tryToListen(now: Clock.milliseconds) else { return }
        listener.register(poller)
        controlPort?.write([UInt8]("ready 1\n"))
    }

    private var timeout: Int {
        var next = listener.nextTry
        if liveSessions > 0 {
            for session in sessions {
                if let deadline = session?.deadline, deadline < next { next = deadline }
            }
        }
        guard next != UInt64.max else { return -1 }
        let now = Clock.milliseconds
        return next > now ? Int(min(next - now, 60_000)) : 0
    }

    private func runDeadlines() {
        guard liveSessions > 0 else { return }
        let now = Clock.milliseconds
        for index in sessions.indices {
            if let session = sessions[index], session.deadline <= now { session.runDeadline() }
        }
    }

    private func handle(_ key: EventKey, _ events: UInt32) {
        switch key.role {
        case .listener: accept()
        case .signals: readSignals()
        case .controlPort: controlPort?.receive { line in obey(line) }
        case .kernelLog:
            for _ in 0..<(kernelLog?.newKills() ?? 0) { controlPort?.write([UInt8]("oom\n")) }
        case nil: break
        default:
            // The session may have ended since the kernel noted the event.
            guard key.place < sessions.count, let session = sessions[key.place],
                session.generation == key.generation, let role = key.role
            else { return }
            session.handle(role, events)
        }
    }

    // MARK: Sessions

    private func accept() {
        // Some at once, so that a flood of connections does not hold up the sessions.
        for _ in 0..<16 {
            guard let connection = listener.accept() else { return }
            let place = sessions.firstIndex { $0 == nil } ?? sessions.count
            if place == sessions.count { sessions.append(nil) }
            generation &+= 1
            let isBusy = place >= AgentLimits.sessions || aerie_heap_available() < AgentOptions.heapReserve
            let session = Session(self, connection.number, place: place, generation: generation)
            session.connection = consume connection
            sessions[place] = session
            liveSessions += 1
            session.begin(isBusy: isBusy)
            // HELLO comes right behind the connection.
            session.handle(.connection, Poller.readable)
        }
    }

    /// Forgets a session, which has let go of everything.
    func remove(_ session: Session) {
        guard sessions[session.place] === session else { return }
        sessions[session.place] = nil
        liveSessions -= 1
        while let last = sessions.last, last == nil { sessions.removeLast() }
        // Also while others go on: a client that opens the next connection before it closes the last one, or one long
        // session beside many short ones, would keep what every large session has left.
        aerie_heap_trim()
    }

    /// Whether the guest's init has not come to its network yet. Once it has, this costs nothing.
    var isBooting: Bool {
        guard !hasBooted else { return false }
        let status = try? FileFacts.statx(options.bootMark, followsLinks: false)
        hasBooted = status == nil || status?.size == 0
        return !hasBooted
    }

    /// Commands wait for the init no more.
    func giveBootUp() { hasBooted = true }

    /// A number for a connection that waits for its client.
    func nextConnection() -> UInt32 {
        lastConnection &+= 1
        return lastConnection
    }

    /// Hands a connection over that waits in a session; nil if none does by this number.
    func takeConnection(_ number: UInt32) -> Descriptor? {
        for session in sessions {
            guard let work = session?.work, let connection = work.takeConnection(number) else { continue }
            return connection
        }
        return nil
    }

    // MARK: Signals and wishes

    private func readSignals() {
        var wasAskedToEnd = false
        withUnsafeTemporaryAllocation(byteCount: 128, alignment: 8) { bytes in
            while signals.read(bytes.baseAddress.unsafelyUnwrapped, 128) == 128 {
                let number = bytes.load(as: Int32.self)
                guard number != Process.Signal.child else { continue }
                wasAskedToEnd = true
                if options.isFirstProcess {
                    FirstProcess.end(number == Process.Signal.user2 ? .powerOff : .reboot)
                }
            }
        }
        while let ended = Process.collect() {
            for session in sessions where session?.work?.processEnded(ended.process, ended.end) == true { break }
        }
        if wasAskedToEnd, !options.isFirstProcess {
            for session in sessions { session?.abandon() }
            isEnding = true
        }
    }

    private func obey(_ line: [UInt8]) {
        let words = line.words
        guard let verb = words.first else { return }
        if verb == "poweroff", words.count == 1 {
            SystemEnd.request(.powerOff, options)
        } else if verb == "reboot", words.count == 1 {
            SystemEnd.request(.reboot, options)
        } else if verb == "time", words.count == 3, let seconds = words[1].number, let rest = words[2].number,
            rest < 1_000_000_000, let time = GuestTime(seconds: seconds, nanoseconds: UInt32(rest))
        {
            try? Clock.setWallClock(time)
        } else if verb == "window", words.count == 3, let rows = words[1].number, let columns = words[2].number,
            let rows = UInt16(exactly: rows), let columns = UInt16(exactly: columns)
        {
            Terminal.setConsoleWindow(rows: rows, columns: columns)
        }
    }
}
