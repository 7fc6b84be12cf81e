package import SavedState

/// A part of a machine besides its processors and its memory.
///
/// The composition calls, in this order:
/// 1. `start` once, before any vCPU runs: open event sources, start threads.
/// 2. Guest accesses, from any vCPU thread, several at a time. A device protects its own state.
/// 3. `pause`: when it returns, the device touches neither guest memory nor interrupt lines until `resume`, and host I/O
///    it has in flight is finished or recorded in its state. vCPUs are stopped before devices are paused.
/// 4. `save` or `restore`, only between `pause` and `resume`, or `restore` before `start`.
/// 5. `resume`, after which vCPUs run again. What arrived from the host in between is delivered now.
/// 6. `reset`, only while paused: the state the device has at power-on. Host resources stay open.
/// 7. `stop` once, last: finish or cancel host I/O, join threads, flush what the guest was told is written. vCPUs have
///    ended before. Afterwards the object is only released.
///
/// None of these may fail because of what the guest did.
package protocol Device: AnyObject, Sendable {
    /// Unique in the machine and stable over versions, for example `uart0`: the state is filed under it.
    var name: String { get }

    func start() throws
    func pause()
    func resume()
    func reset()
    func stop()

    /// Everything the guest can observe of the device, typed and versioned.
    func save() throws(SavedStateError) -> SavedRecord
    /// Takes over what `save` of the same or an older version returned; on an error the machine is discarded.
    func restore(_ state: SavedRecord) throws(SavedStateError)
}

extension Device {
    // A device without threads or host I/O has nothing to do at these points. State has no default.
    package func start() throws {}
    package func pause() {}
    package func resume() {}
    package func stop() {}
}

/// A device whose registers appear in the guest-physical address space.
package protocol MemoryMappedDevice: Device {
    /// Reads `size` (1, 2, 4 or 8) bytes at `offset` from the device's base, little endian, zero-extended.
    ///
    /// `offset + size` never exceeds the attached size; alignment is as the guest chose. An access that the device does
    /// not support reads 0. It must not block: the calling thread is a vCPU.
    func read(offset: UInt64, size: Int) -> UInt64

    /// Writes the low `size` bytes of `value`, under the rules of `read`. Unsupported writes are ignored.
    func write(offset: UInt64, size: Int, value: UInt64)
}
