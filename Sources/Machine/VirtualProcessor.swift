package import SavedState

/// Why a vCPU's `run` returned.
package enum ProcessorExit: Equatable, Sendable {
    /// `requestExit` was called. The vCPU is between two instructions and can be saved or run again.
    case requested
    /// The vCPU cannot continue, for the given reason (text for people).
    case failed(String)
}

/// A vCPU of any instruction set on any engine.
///
/// It is a data structure. `run` executes guest code on the calling thread. All other methods except `requestExit` are called
/// only while no thread is in `run`.
package protocol VirtualProcessor: AnyObject, Sendable {
    /// 0 to the machine's number of vCPUs minus 1.
    var index: Int { get }

    /// Executes guest code, and sleeps while the guest waits for interrupts, until there is a reason to return.
    func run() -> ProcessorExit

    /// Makes `run` return `.requested` soon. When no thread is in `run`, the next call returns at once. Callable on any thread.
    func requestExit()

    /// Returns the vCPU to its power-on state.
    func reset()
    func save() throws(SavedStateError) -> SavedRecord
    func restore(_ state: SavedRecord) throws(SavedStateError)
}

/// An event of the guest that concerns the whole machine.
package enum SystemEvent: Equatable, Sendable {
    case powerOff
    case reset
    /// The guest reports a failure with a code (the test device's FAIL, SBI's system failure).
    case failure(code: UInt16)
    /// The guest's kernel panicked and says so (the pvpanic device).
    case panic
    /// The guest did not serve its watchdog in time.
    case watchdog
}

/// Receives system events from devices and firmware services, on any thread. It must not block.
package typealias SystemEventHandler = @Sendable (SystemEvent) -> Void
