/// What SBI needs of a hart.
///
/// Registers and the timer are touched only on the calling hart, by its own thread; the rest also on others.
package protocol SBIHart: AnyObject, Sendable {
    /// The hart ID.
    var index: Int { get }
    var pc: UInt64 { get set }
    /// An integer register.
    subscript(integer number: Int) -> UInt64 { get set }

    /// mvendorid, marchid and mimpid.
    var machineIdentity: (vendor: UInt64, architecture: UInt64, implementation: UInt64) { get }
    /// The number of the guest (VMID) that a hypervisor on the hart has selected; nil when the hart has no hypervisor extension.
    var guestIdentifier: UInt64? { get }
    /// Makes the supervisor timer interrupt pending from `deadline` on, in ticks of mtime, and not before.
    func setSupervisorTimer(_ deadline: UInt64)
    /// Raises an interrupt by its bit number in mip.
    func setInterrupt(_ number: Int, level: Bool)

    var lifeState: HartLife { get }
    /// Starts a stopped hart; false when it is not stopped.
    func start(at address: UInt64, opaque: UInt64) -> Bool
    /// The hart executes nothing after the present call, until it is started.
    func stop()
    /// Waits for an interrupt, then goes on: here, or at `resume` when registers are not retained.
    func suspend(resume: (address: UInt64, opaque: UInt64)?)
    /// Asks the hart to see writes of this thread's hart. Returns what `waitForFence` takes.
    func requestFence(_ fence: RemoteFence) -> UInt64
    /// Waits until the hart sees them.
    func waitForFence(_ request: UInt64)
}

extension Hart: SBIHart {
    package var machineIdentity: (vendor: UInt64, architecture: UInt64, implementation: UInt64) {
        (readCSR(CSR.mvendorid) ?? 0, readCSR(CSR.marchid) ?? 0, readCSR(CSR.mimpid) ?? 0)
    }

    package var guestIdentifier: UInt64? {
        state.pointee.hasHypervisor ? state.pointee.csr.hypervisor.guestIdentifier : nil
    }

    /// By Sstc's compare register, which supervisors may as well write themselves if the hart has the extension. No guest runs: the call comes
    /// from HS-mode.
    package func setSupervisorTimer(_ deadline: UInt64) { state.pointee.setSupervisorTimer(deadline) }
}
