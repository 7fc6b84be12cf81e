internal import HostSystem
internal import Machine

/// A virtual machine in this process: processors, memory and devices put together from a configuration.
///
/// A machine is built, started once, and ends once; in between it can be paused and resumed at any moment. Every method may
/// be called from any thread.
public final class VirtualMachine: Sendable {
    let board: any Board
    private let control = ControlChannel()
    private let restartsOnReset: Bool
    private let state: Monitor<State>
    private let requests = RequestBox()
    /// Serializes what changes the lifecycle.
    private let transition = Monitor(false)

    struct State {
        var lifecycle = MachineLifecycle.created
        /// vCPU threads may enter guest code.
        var permitted = false
        /// vCPU threads shall end.
        var quit = false
        /// vCPU threads outside of guest code, waiting for permission.
        var parked = 0
        var threads: [HostThread] = []
        /// What the control thread has to act on.
        var request: Request?
    }

    enum Request {
        case event(SystemEvent)
        case crash(String)
        case kill
    }

    /// Builds a machine and opens its files; nothing runs yet.
    ///
    /// - Throws: what `Configuration.validate` throws, and errors of files and of the host.
    public init(_ configuration: Configuration, console: any ConsoleChannel) throws(AerieError) {
        try configuration.validate()
        let state = Monitor(State())
        board = try BoardBuilder.make(configuration, console: ConsoleBridge(console), control: control) { [requests] in
            requests.post(.event($0))
        }
        restartsOnReset = configuration.restartsOnReset
        self.state = state
        requests.connect { [state, board] request in Self.post(request, to: state, of: board) }
    }

    deinit {
        requests.disconnect()
        board.dismantle()
    }

    // MARK: Lifecycle

    /// Loads what the machine boots, and lets it run.
    public func start() throws(AerieError) {
        try begin { () throws(AerieError) in try board.load() }
    }

    /// Starts devices, threads and vCPUs of a created machine, after `prepare` has given it a state to start from.
    func begin(_ prepare: () throws(AerieError) -> Void) throws(AerieError) {
        try exclusively { () throws(AerieError) in
            try require(.created, to: "start")
            try prepare()
            try launch()
            state.update {
                $0.lifecycle = .running
                $0.permitted = true
            }
        }
    }

    /// Starts devices and threads; on an error, none is left.
    private func launch() throws(AerieError) {
        var started: [any Device] = []
        do {
            try board.loop.start()
            for device in board.devices {
                try device.start()
                started.append(device)
            }
            try startThread("control") { [self] in serveRequests() }
            for processor in board.processors {
                try startThread("vcpu\(processor.index)") { [self] in drive(processor) }
            }
        } catch {
            let threads = state.update { state in
                state.quit = true
                return state.threads
            }
            for thread in threads { thread.join() }
            for device in started.reversed() { device.stop() }
            board.loop.stop()
            throw AerieError(.notStarted, asked: "starting the virtual machine", found: "\(error)")
        }
    }

    private func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let thread = try HostThread(name: name, body: body)
        state.update { $0.threads.append(thread) }
    }

    /// Stops the machine between two instructions of each vCPU, with all devices quiet and its clock standing still.
    public func pause() throws(AerieError) {
        while true {
            let isPaused = try exclusively { () throws(AerieError) in
                try require(.running, to: "pause")
                quiesce()
                if state.withLock({ $0.request != nil }) {
                    proceed()
                    return false
                }
                state.update { $0.lifecycle = .paused }
                return true
            }
            if isPaused { return }
            // What the guest asked for before it stood still, a reset or its end, is in no saved state: it comes first.
            _ = state.wait { $0.request == nil ? () : nil }
        }
    }

    /// Lets a paused machine go on.
    public func resume() throws(AerieError) {
        try exclusively { () throws(AerieError) in
            try require(.paused, to: "resume")
            state.update { $0.lifecycle = .running }
            proceed()
        }
    }

    /// Asks the guest to power itself off in order, over the control port. Without one, or with a guest that does not listen
    /// to it, nothing happens.
    public func requestPowerOff() { control.send("poweroff") }

    /// Ends the machine at once, as if its power were cut. What the guest was told is on disk stays there.
    public func kill() {
        let ended = state.update { state -> Bool in
            guard case .created = state.lifecycle else { return false }
            state.lifecycle = .ended(.stopped)
            return true
        }
        if !ended { Self.post(.kill, to: state, of: board) }
    }

    /// Waits for the end of a started machine.
    public func wait() -> Outcome {
        // Without a deadline the wait ends with a result only.
        state.wait { state in
            if case .ended(let outcome) = state.lifecycle { outcome } else { nil }
        } ?? .stopped
    }

    /// Does something to a paused machine that must not overlap with a change of its lifecycle.
    func whilePaused<Result>(
        _ purpose: String, _ body: () throws(AerieError) -> Result
    ) throws(AerieError) -> Result {
        try exclusively { () throws(AerieError) in
            try require(.paused, to: purpose)
            return try body()
        }
    }

    // MARK: Threads

    /// What a vCPU's thread does: run when permitted, and wait otherwise.
    private func drive(_ processor: any VirtualProcessor) {
        while true {
            state.update { $0.parked += 1 }
            let permitted = state.wait { state -> Bool? in
                if state.quit { return false }
                guard state.permitted else { return nil }
                state.parked -= 1
                return true
            }
            guard permitted == true else { return }
            if case .failed(let reason) = processor.run() {
                Self.post(.crash("vCPU \(processor.index): \(reason)"), to: state, of: board)
            }
        }
    }

    /// What the control thread does: carry out what the guest or the owner asked for, until the machine has ended.
    private func serveRequests() {
        while true {
            let isAsked = state.wait { state -> Bool? in
                if state.quit { return false }
                return state.request == nil ? nil : true
            }
            guard isAsked == true else { return }
            let hasEnded = exclusively {
                // Only now, so that whoever was here before sees that something is to be done.
                let request = state.update { state in
                    defer { state.request = nil }
                    return state.request
                }
                return request.map(carryOut) ?? false
            }
            if hasEnded { return }
        }
    }

    /// True when the machine has ended.
    private func carryOut(_ request: Request) -> Bool {
        switch request {
        case .event(.reset) where restartsOnReset: return restart()
        case .event(.reset): end(.reset)
        case .event(.powerOff): end(.poweredOff)
        case .event(.failure(let code)): end(.failed(code: Int(code)))
        case .crash(let reason): end(.crashed(reason))
        case .kill: end(.stopped)
        }
        return true
    }

    private func restart() -> Bool {
        quiesce()
        for device in board.devices { device.reset() }
        do {
            try board.load()
        } catch {
            end(.crashed("reset: \(error)"))
            return true
        }
        proceed()
        return false
    }

    private func end(_ outcome: Outcome) {
        parkProcessors()
        let threads = state.update { state in
            state.lifecycle = .ending
            state.quit = true
            return state.threads
        }
        // The first thread is the one that runs this.
        for thread in threads.dropFirst() { thread.join() }
        for device in board.devices.reversed() { device.stop() }
        board.loop.stop()
        state.update { $0.lifecycle = .ended(outcome) }
    }

    // MARK: Parts of transitions

    private func parkProcessors() {
        state.update { $0.permitted = false }
        for processor in board.processors { processor.requestExit() }
        let count = board.processors.count
        _ = state.wait { $0.parked == count ? () : nil }
    }

    private func quiesce() {
        parkProcessors()
        board.timeBase.stop()
        for device in board.devices.reversed() { device.pause() }
    }

    private func proceed() {
        board.timeBase.start()
        for device in board.devices { device.resume() }
        // A request that came in the meantime is served first.
        state.update { $0.permitted = $0.request == nil }
    }

    /// Leaves a request to the control thread, and gets vCPUs out of guest code: what asked must not go on.
    private static func post(_ request: Request, to state: Monitor<State>, of board: any Board) {
        state.update { state in
            if case .kill = request { state.request = request }
            if state.request == nil { state.request = request }
            if state.lifecycle != .paused { state.permitted = false }
        }
        for processor in board.processors { processor.requestExit() }
    }

    private func exclusively<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        _ = transition.wait { busy -> Void? in
            guard !busy else { return nil }
            busy = true
            return ()
        }
        defer { transition.update { $0 = false } }
        return try body()
    }

    private func require(_ wanted: MachineLifecycle, to purpose: String) throws(AerieError) {
        let found = state.withLock { $0.lifecycle }
        guard found == wanted else {
            throw AerieError(
                .usage, asked: "\(purpose) a virtual machine", found: "it is \(found.name)",
                advice: "it has to be \(wanted.name)")
        }
    }
}

/// Connects the board's events with the machine, which exists only after the board.
private final class RequestBox: Sendable {
    private let handler = Monitor<(@Sendable (VirtualMachine.Request) -> Void)?>(nil)

    func connect(_ handler: @escaping @Sendable (VirtualMachine.Request) -> Void) {
        self.handler.update { $0 = handler }
    }

    func disconnect() { handler.update { $0 = nil } }

    func post(_ request: VirtualMachine.Request) { handler.withLock { $0 }?(request) }
}
