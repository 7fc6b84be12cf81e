package import HostSystem
internal import Machine
internal import VirtioDevices

/// A virtual machine in this process: processors, memory and devices put together from a configuration.
///
/// A machine is built, started once, and ends once; in between it can be paused and resumed at any moment. Every method may
/// be called from any thread. A machine that runs stays alive until its end, also when nobody refers to it.
public final class VirtualMachine: Sendable {
    /// The settings that the machine was built from.
    public let configuration: Configuration
    let board: any Board
    let log: Log
    let restartsOnReset: Bool
    let watchdog: Configuration.WatchdogAction
    let state = Monitor(Progress())
    let control = ControlChannel()
    let memoryKeeper: MemoryKeeper
    let services: HostServices
    /// What is plugged in and out while the machine runs changes with the lifecycle held (`exclusively`).
    let inventory: Monitor<Inventory>
    /// Nil for a machine with a channel of the caller's.
    let console: SharedConsole?
    private let requests = RequestBox()
    /// Serializes the changes of the lifecycle.
    private let transition = Monitor(false)

    struct Progress {
        var lifecycle = MachineLifecycle.created {
            didSet { if lifecycle != oldValue { observers.tell(State(lifecycle)) } }
        }
        var observers = StateObservers()
        /// vCPU threads may enter guest code.
        var permitted = false
        /// When the last pause began, by the monotonic clock.
        var pausedAt: UInt64 = 0
        /// vCPU threads outside of guest code, waiting for permission.
        var parked = 0
        /// In percent of one processor; nil for no limit.
        var processorLimit: Int?
        /// The percentage of the time in which vCPUs may run (`setDutyCycle`); nil for all of it.
        var dutyCycle: Int?
        /// The processor time is spent: vCPU threads wait as without permission.
        var isExhausted = false
        var controlThread: HostThread?
        var processorThreads: [HostThread] = []
        /// Work for the control thread.
        var request: Request?
        /// Paths of disks whose files another process has (`handOverDisks`).
        var handedOverDisks: [String] = []
        /// Devices hold files, and threads once they have started.
        var devicesAreOpen = true
    }

    enum Request {
        case event(SystemEvent)
        case crash(String)
        case kill
    }

    /// Builds a machine and opens its files; nothing runs yet.
    ///
    /// - Throws: the errors of `Configuration.validate`, of files and of the host.
    public convenience init(_ configuration: Configuration, console: any ConsoleChannel) throws(AerieError) {
        try self.init(configuration, console: console, log: .silent)
    }

    /// Builds a machine whose console `openConsole()` opens, and opens its files; nothing runs yet.
    ///
    /// - Throws: the errors of `Configuration.validate`, of files and of the host.
    public convenience init(_ configuration: Configuration) throws(AerieError) {
        try self.init(configuration, console: SharedConsole(), log: .silent)
    }

    /// Builds a machine that reports to a log. No thread is started before `start`.
    ///
    /// - Parameter services: what other processes do on the host for the machine.
    package init(
        _ configuration: Configuration, console: any ConsoleChannel, services: HostServices = .direct, log: Log
    ) throws(AerieError) {
        try configuration.validate()
        self.configuration = configuration
        self.log = log
        self.console = console as? SharedConsole
        board = try BoardBuilder.make(
            configuration, console: ConsoleBridge(console, control), control: control, services: services, log: log
        ) { [requests] in requests.post(.event($0)) }
        self.services = services
        inventory = Monitor(board.inventory)
        if configuration.growthMethod == .balloon {
            board.balloon?.request(configuration.mostMemory - configuration.memory.bytes)
        }
        memoryKeeper = try Self.memoryKeeper(configuration, services, board, log)
        restartsOnReset = configuration.restartsOnReset
        watchdog = configuration.watchdog
        control.outOfMemory.set { [log] in
            log.note(
                .warning, "guest", cause: "outOfMemory",
                "the guest's kernel has killed a process for want of memory; give the machine more with --memory")
        }
        requests.connect { [state, board] request in Self.post(request, to: state, of: board) }
    }

    deinit {
        requests.disconnect()
        board.dismantle()
        state.withLock { $0.observers.finish() }
        console?.end()
    }

    // MARK: Lifecycle

    /// Loads the guest and lets it run.
    ///
    /// - Throws: `usage` in a state other than that after `init`; errors of the guest's files and of the host, after which the
    ///   machine has ended.
    public func start() throws(AerieError) {
        // The guest's time begins with its first instruction.
        try begin(beforeRunning: { board.timeBase.set(0) }) { () throws(AerieError) in try board.load() }
    }

    /// Stops the machine between two instructions of each vCPU, with all devices quiet and its clock standing still.
    ///
    /// - Throws: `usage` when the machine does not run, or ends before it stands still.
    public func pause() throws(AerieError) {
        while true {
            let isPaused = try exclusively { () throws(AerieError) in
                try require(.running, to: "pause")
                let asked = HostClock.monotonic()
                quiesce()
                if state.withLock({ $0.request != nil }) {
                    proceed()
                    return false
                }
                state.update { state in
                    state.lifecycle = .paused
                    state.pausedAt = asked
                }
                log.note(.info, "machine", cause: "paused", "paused")
                return true
            }
            if isPaused { return }
            // No saved state has the guest's request for a reset or its end: it comes first.
            _ = state.wait { $0.request == nil ? () : nil }
        }
    }

    /// Lets a paused machine run again.
    ///
    /// - Throws: `usage` when the machine is not paused.
    public func resume() throws(AerieError) {
        try exclusively { () throws(AerieError) in
            try require(.paused, to: "resume")
            try requireDisks()
            let pausedAt = state.update { state in
                state.lifecycle = .running
                return state.pausedAt
            }
            // The guest's clock stood still.
            control.sendTime()
            proceed()
            let hundredths = (HostClock.monotonic() - pausedAt) / 10_000
            let fraction = "0\(hundredths % 100)".suffix(2)
            log.note(
                .info, "machine", cause: "resumed", "resumed; it stood still for \(hundredths / 100).\(fraction) ms")
        }
    }

    /// Asks the guest to power itself off in order, over the control port. Without a control port, or with a guest that does
    /// not listen to it, nothing happens. It never waits.
    public func requestPowerOff() {
        log.note(.info, "machine", cause: "powerOffRequested", "the guest is asked to power off")
        control.send("poweroff")
    }

    /// Ends the machine at once, as if its power were cut, with the outcome `stopped`. What the guest was told is on disk stays
    /// there. It never waits: `wait` returns when everything has ended.
    public func kill() {
        let wasCreated = state.update { state -> Bool in
            guard state.lifecycle == .created else { return false }
            state.lifecycle = .ended(.stopped, hasStarted: false)
            return true
        }
        if wasCreated { console?.end() } else { Self.post(.kill, to: state, of: board) }
    }

    /// Waits for the end of the machine: its threads have ended and its files are free when this returns.
    public func wait() -> Outcome {
        // Without a deadline the wait ends with a result only.
        let outcome =
            state.wait { state in
                if case .ended(let outcome, _) = state.lifecycle { outcome } else { nil }
            } ?? .stopped
        release()
        return outcome
    }

    /// Calls `body` on a paused machine, whose lifecycle does not change meanwhile.
    func whilePaused<Result>(
        _ purpose: String, _ body: () throws(AerieError) -> Result
    ) throws(AerieError) -> Result {
        try exclusively { () throws(AerieError) in
            try require(.paused, to: purpose)
            return try body()
        }
    }

    // MARK: Parts of transitions

    /// Waits until every vCPU's thread is outside of guest code, and keeps it there.
    func parkProcessors() {
        state.update { $0.permitted = false }
        for processor in board.processors { processor.requestExit() }
        let count = board.processors.count
        _ = state.wait { $0.parked == count ? () : nil }
    }

    func quiesce() {
        parkProcessors()
        board.timeBase.stop()
        for device in board.devices.reversed() { device.pause() }
    }

    func proceed() {
        board.timeBase.start()
        for device in board.devices { device.resume() }
        // A request that came in the meantime is served first.
        state.update { $0.permitted = $0.request == nil }
    }

    /// Leaves a request to the control thread, and gets vCPUs out of guest code: the guest must not run beyond its request. Any
    /// thread; it never waits.
    static func post(_ request: Request, to state: Monitor<Progress>, of board: any Board) {
        let isNoted = state.update { state in
            guard state.lifecycle != .created, !state.lifecycle.isOver else { return false }
            if case .kill = request { state.request = request }
            if state.request == nil { state.request = request }
            state.permitted = false
            return true
        }
        guard isNoted else { return }
        for processor in board.processors { processor.requestExit() }
        // A pause in progress must not wait for host I/O that nobody needs any more.
        if case .kill = request { for device in board.devices { device.abandon() } }
    }

    func exclusively<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        _ = transition.wait { busy -> Void? in
            guard !busy else { return nil }
            busy = true
            return ()
        }
        defer { transition.update { $0 = false } }
        return try body()
    }

    /// The same where no transition is in progress; nil otherwise.
    func exclusivelyIfFree<Result>(_ body: () -> Result) -> Result? {
        let isMine = transition.update { busy in
            if busy { return false }
            busy = true
            return true
        }
        guard isMine else { return nil }
        defer { transition.update { $0 = false } }
        return body()
    }

    private func require(_ wanted: MachineLifecycle, to purpose: String) throws(AerieError) {
        let found = state.withLock { $0.lifecycle }
        if found != wanted { throw AerieError(illegal: purpose, in: found, wanted: wanted) }
    }
}

extension AerieError {
    /// A call that the machine's state does not allow.
    init(illegal purpose: String, in found: MachineLifecycle, wanted: MachineLifecycle) {
        self.init(
            .usage, asked: "\(purpose) a virtual machine", found: "it is \(found.name)",
            advice: "it has to be \(wanted.name)")
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
