internal import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem
internal import Runtime

/// The parts of a guest's session, put together; nothing of them runs yet, and there is no thread.
struct SessionParts {
    let machine: VirtualMachine
    let stopper: GuestStopper
    let relay = EventRelay()
    /// The console on this process's terminal; nil for a machine in the background.
    let terminal: TerminalChannel?
    /// Nil for a machine that nobody keeps.
    let keeping: MachineKeeping?
    let server: ControlServer?

    /// - Parameter stopTimeout: seconds.
    init(
        _ configuration: Configuration, _ log: SessionLog, _ charge: MachineMonitor.Charge?, _ services: HostServices,
        stopTimeout: Int, input: Int32, output: Int32
    ) throws(AerieError) {
        let terminal =
            charge?.isForeground ?? true
            ? try TerminalChannel(input: input, output: output) { [relay] in relay.send($0) } : nil
        self.terminal = terminal
        stopper = GuestStopper(timeout: UInt64(stopTimeout) * 1_000_000_000) {
            terminal?.endScript()
        } abandonOutput: {
            terminal?.abandonOutput()
        }
        relay.connect(stopper)
        let keeping = try charge.map { charge throws(AerieError) in try MachineKeeping(charge, first: terminal) }
        self.keeping = keeping
        let console: any ConsoleChannel
        if let keeping {
            console = keeping.hub
        } else if let terminal {
            console = terminal
        } else {
            preconditionFailure("a session has a console")
        }
        machine = try VirtualMachine(configuration, console: console, services: services, log: log.machine)
        server = keeping.map { [machine, stopper] keeping in
            ControlServer(listener: keeping.charge.listener, machine: machine, hub: keeping.hub, stopper: stopper)
        }
    }

    /// Begins to listen to signals, to the monitor and to the control socket.
    func watch(_ stopSignals: [Int32], on loop: EventLoop) throws(SystemError) -> SessionSources {
        guard let keeping else {
            let watch = try SignalWatch(stopSignals + [SIGWINCH], on: loop) { [terminal, stopper] signal in
                if signal == SIGWINCH { terminal?.windowSizeChanged() } else { stopper.ask() }
            }
            return SessionSources(signals: watch, link: nil)
        }
        let signals = try terminal.map { terminal throws(SystemError) in
            try SignalWatch([SIGWINCH], on: loop) { _ in terminal.windowSizeChanged() }
        }
        let link = keeping.charge.link
        let source = try loop.watch(link.descriptor, for: .readable, onlyChanges: true) { [machine, stopper] _ in
            for order in link.orders() {
                switch order {
                case .signal: stopper.ask()
                case .limit(let percent):
                    // The monitor has checked the number, and a machine that has ended needs no limit.
                    try? machine.setProcessorLimit(percent: percent)
                case .gone: stopper.kill()
                }
            }
        }
        try server?.start(on: loop)
        try reportStates()
        return SessionSources(signals: signals, link: source)
    }

    /// Reports the machine's states to its monitor, from a thread that ends with the machine.
    private func reportStates() throws(SystemError) {
        guard let link = keeping?.charge.link else { return }
        _ = try HostThread(name: "states") { [machine] in
            var known = VirtualMachine.State.created
            while true {
                known = machine.waitForState(other: known)
                switch known {
                case .running: link.report(.running)
                case .paused: link.report(.paused)
                case .ended: return
                case .created, .starting, .stopping: break
                }
            }
        }
    }
}

/// What a session listens to.
struct SessionSources {
    let signals: SignalWatch?
    let link: EventSource?

    func cancel() {
        signals?.cancel()
        link?.cancel()
    }
}
