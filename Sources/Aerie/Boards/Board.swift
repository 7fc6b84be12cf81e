internal import DiskImages
internal import GuestMemory
internal import Machine

/// A machine model put together: what the lifecycle of a virtual machine has to know of it, whatever its architecture.
protocol Board: AnyObject, Sendable {
    var memory: GuestMemory { get }
    var timeBase: TimeBase { get }
    var processors: [any VirtualProcessor] { get }
    /// In the order in which they start; they stop in the opposite one. Sources of interrupts come after controllers.
    var devices: [any Device] { get }

    /// In the order of the configuration.
    var disks: [any DiskImage] { get }

    /// Loads what the machine boots and sets the processors to begin with it: at power-on, and after a reset.
    func load() throws(AerieError)

    /// Cuts the references between parts that would keep each other alive. Nothing may run, now or later.
    func dismantle()
}
