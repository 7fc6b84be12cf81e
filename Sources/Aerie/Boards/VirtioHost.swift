internal import DiskImages
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

    /// Creates the file I/O of a machine's devices, ready to be used when the process can make nothing new.
    static func makeDiskIO(_ loop: EventLoop, isUsed: Bool) -> DiskIO {
        let io = DiskIO(loop: loop)
        if isUsed { io.prepare() }
        return io
    }
}
