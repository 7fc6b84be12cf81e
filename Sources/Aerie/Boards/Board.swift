internal import DiskImages
internal import GuestMemory
internal import HostSystem
internal import Machine
internal import PlatformDevices
internal import Virtio
internal import VirtioDevices

/// The parts of a machine of any architecture that a virtual machine's lifecycle uses.
protocol Board: AnyObject, Sendable {
    var memory: GuestMemory { get }
    var timeBase: TimeBase { get }
    var processors: [any VirtualProcessor] { get }
    /// The event loop on which devices wait for the host. It runs from before their `start` until after their `stop`.
    var loop: EventLoop { get }
    /// In the order of starting; stopping uses the reverse order. Interrupt controllers come before sources of interrupts.
    var devices: [any Device] { get }

    /// What the disks and network cards of the configuration began with, in its order.
    var inventory: Inventory { get }
    /// Nil for a board without PCI, or without devices on it.
    var hotplug: HotplugSlots? { get }
    /// Nil for a machine whose memory does not grow by hotplug.
    var growth: MemoryDevice? { get }
    /// Nil for a board without a slot for it.
    var balloon: BalloonDevice? { get }
    /// Nil for a board without one.
    var generation: GenerationDevice? { get }

    /// Loads kernel or firmware and sets the vCPUs to its entry. Called at power-on and after a reset.
    func load() throws(AerieError)

    /// The bytes that the guest is going to use at the end of its first range of memory while it starts; 0 where nobody knows.
    var firstPages: UInt64 { get }

    /// Writes the code that was generated for the guest into an empty file, which stays empty where there is none.
    ///
    /// - Parameter isShared: nobody changes the file afterwards, and `sharedCode` may have it.
    func saveCode(to file: borrowing FileDescriptor, isShared: Bool) throws(SystemError)

    /// A file with nearly all of the code, which does not change; nil when there is none such.
    func sharedCode() throws(SystemError) -> FileDescriptor?

    /// Prepares `trimMemory`. vCPUs may run.
    func prepareTrim()

    /// Gives all memory back that only makes vCPUs fast. No thread is in a vCPU's `run`.
    func trimMemory()

    /// Breaks reference cycles between the parts. Nothing may run afterwards.
    func dismantle()
}

extension Board {
    var firstPages: UInt64 { 0 }
    func saveCode(to file: borrowing FileDescriptor, isShared: Bool) throws(SystemError) {}
    func sharedCode() throws(SystemError) -> FileDescriptor? { nil }
    func prepareTrim() {}
    func trimMemory() {}
}
