package import HostSystem

/// An engine that can signal an eventfd for a guest's write without an exit (KVM's ioeventfd).
///
/// This is an optimization. Without a connection the write reaches the device, which signals the notifier itself.
package protocol IOEventBoard: AnyObject, Sendable {
    /// Connects `notifier`: a write of `size` bytes with `value` to the guest-physical `address` then signals it and does not reach
    /// the device.
    ///
    /// - Returns: false when the engine cannot connect it.
    func connect(_ notifier: EventNotifier, at address: UInt64, size: Int, value: UInt64) -> Bool

    /// Disconnects a notifier. The arguments are those of `connect`.
    func disconnect(_ notifier: EventNotifier, at address: UInt64, size: Int, value: UInt64)
}
