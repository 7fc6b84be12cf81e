package import SavedState

/// A device of a machine: every part other than vCPUs and memory.
///
/// The machine calls, in this order:
/// 1. `start` once, before any vCPU runs: open event sources, start threads.
/// 2. Guest accesses, from several vCPU threads at a time. The device protects its own state.
/// 3. `pause`: when it returns, the device touches neither guest memory nor interrupt lines until `resume`, and host I/O
///    it has in flight is finished or recorded in its state. vCPUs are stopped before devices are paused.
/// 4. `save` or `restore`, only between `pause` and `resume`, or `restore` before `start`.
/// 5. `resume`, before vCPUs run again. The device then delivers host input that arrived during the pause.
/// 6. `reset`, only while paused: returns the device to its power-on state. Host resources stay open.
/// 7. `stop` once, last, after vCPUs have ended: finish or cancel host I/O, and join threads. It does not flush: it would wait
///    for a disk that hangs, and a guest's own flushes say what has to be durable.
///
/// No guest action may make one of these fail.
package protocol Device: AnyObject, Sendable {
    /// The key of the device's state in a saved machine, for example `uart0`: unique in the machine, stable over versions.
    var name: String { get }

    func start() throws
    /// The machine is killed, or its guest reset it: cancels host I/O whose results nobody needs any more, so that `pause` and
    /// `stop` return soon. Any thread, at any time after `start`; it never waits.
    func abandon()
    func pause()
    func resume()
    func reset()
    func stop()

    /// The device's whole guest-visible state.
    func save() throws(SavedStateError) -> SavedRecord
    /// Restores a state that `save` of this or an older version returned. After an error the machine is discarded.
    func restore(_ state: SavedRecord) throws(SavedStateError)
}

extension Device {
    // Defaults for devices without threads and host I/O. Reset and state have no default.
    package func start() throws {}
    package func abandon() {}
    package func pause() {}
    package func resume() {}
    package func stop() {}
}

/// A device whose registers appear in the guest-physical address space.
package protocol MemoryMappedDevice: Device {
    /// The memory that vCPUs read from the device's base on without calling `read`; nil for registers only. It does not change.
    var deviceMemory: DeviceMemory? { get }

    /// Reads `size` (1, 2, 4 or 8) bytes at `offset` from the device's base, little endian, zero-extended.
    ///
    /// `offset + size` does not exceed the attached size. Any alignment is possible. An unsupported access reads 0. The caller
    /// is a vCPU's thread, so the method must not block.
    func read(offset: UInt64, size: Int) -> UInt64

    /// Writes the low `size` bytes of `value`, under the rules of `read`. Unsupported writes are ignored.
    func write(offset: UInt64, size: Int, value: UInt64)
}

extension MemoryMappedDevice {
    package var deviceMemory: DeviceMemory? { nil }
}
