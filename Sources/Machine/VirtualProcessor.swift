package import SavedState

/// Why a vCPU left guest code for good, or for its owner's attention.
package enum ProcessorExit: Equatable, Sendable {
    /// `requestExit` was called. The vCPU is between two instructions and can be saved or run again.
    case requested
    /// The vCPU cannot go on; the text says why, for people.
    case failed(String)
}

/// A virtual processor of any instruction set under any engine.
///
/// It is a data structure that some thread runs: `run` executes guest code on the calling thread, and everything else but
/// `requestExit` is called only while no thread is in `run`.
package protocol VirtualProcessor: AnyObject, Sendable {
    /// 0 up to the machine's number of vCPUs less one.
    var index: Int { get }

    /// Executes guest code, sleeping while the guest waits for interrupts, until there is a reason to return.
    func run() -> ProcessorExit

    /// Makes `run` return `.requested` soon, from any thread; when no thread is in `run`, the next call returns at once.
    func requestExit()

    /// The state of power-on.
    func reset()
    func save() throws(SavedStateError) -> SavedRecord
    func restore(_ state: SavedRecord) throws(SavedStateError)
}

/// What a guest asks of the whole machine.
package enum SystemEvent: Equatable, Sendable {
    case powerOff
    case reset
    /// The guest reports a failure with a code of its own (the test device's FAIL, SBI's system failure).
    case failure(code: UInt16)
}

/// Takes system events from devices and firmware services. Any thread; it must not block.
package typealias SystemEventHandler = @Sendable (SystemEvent) -> Void
