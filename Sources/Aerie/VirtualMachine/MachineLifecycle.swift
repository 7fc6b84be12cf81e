/// The states of a virtual machine, and the rules for every call in every state.
///
///     state         start        pause        resume       save         kill         wait
///     created       → running    error        error        error        → ended      waits
///     starting      waits¹       waits¹       waits¹       waits¹       noted²       waits
///     running       error        → paused     error        error        noted²       waits
///     paused        error        error        → running    writes       noted²       waits
///     ending        waits¹       waits¹       waits¹       waits¹       nothing      waits
///     ended         error³       error        error        error        nothing      outcome
///
/// 1. `start`, `pause`, `resume` and `save` exclude each other, a reset and the end of the machine. A caller waits until the
///    transition in progress is over and finds the state that it led to. Of several callers in one state, one succeeds.
/// 2. `kill` never waits. The control thread ends the machine after the transition in progress; `start` gives up before it
///    starts devices. Either way the outcome is `stopped`.
/// 3. A machine that was killed before `start` is ended with `stopped`; its first `start` returns without an error and
///    without an effect, so that a kill has the same result before, during and after `start`.
///
/// A `start` that fails throws, stops the devices that had started, frees all files and ends the machine with `crashed`, or
/// with `stopped` if it was killed meanwhile. Another attempt needs another machine.
///
/// `requestPowerOff` may be called in every state and never waits. Its request is kept until the guest listens.
///
/// Events of the guest and of its processors arrive in `running` only, and are served after a transition in progress:
/// a reset restarts the guest (`running` again, or `ended` if the configuration says so); power-off, failure and crash lead
/// over `ending` to `ended`; a panic and an expired watchdog lead to one of the two or to `paused`, as the configuration says. An event that arrives during `pause` comes first: `pause` takes effect after it, or throws. A
/// kill takes the place of an event that was not served yet.
enum MachineLifecycle: Equatable {
    /// Built; nothing has started.
    case created
    /// `start` loads the guest, then starts devices and threads.
    case starting
    case running
    /// vCPUs stand still between two instructions, and devices are quiet.
    case paused
    /// Threads and devices are being ended.
    case ending
    /// `hasStarted` is false for a machine that was killed before `start`.
    case ended(VirtualMachine.Outcome, hasStarted: Bool)

    /// For messages.
    var name: String {
        switch self {
        case .created: "created"
        case .starting: "starting"
        case .running: "running"
        case .paused: "paused"
        case .ending: "ending"
        case .ended: "ended"
        }
    }

    /// Whether the machine's threads have to end.
    var isOver: Bool {
        switch self {
        case .ending, .ended: true
        case .created, .starting, .running, .paused: false
        }
    }
}
