internal import GuestMemory
internal import HostSystem

/// The parts of a machine that every virtio transport works with.
struct VirtioHost {
    let memory: GuestMemory
    let loop: EventLoop
    let log: Log

    /// Creates the event loop of a machine's devices.
    static func makeLoop() throws(AerieError) -> EventLoop {
        try wrapping("the machine's event loop") { () throws(SystemError) in try EventLoop(name: "io") }
    }
}
