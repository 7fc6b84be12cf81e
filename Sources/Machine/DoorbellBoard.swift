package import HostSystem

/// An engine that can signal an eventfd for a guest's write without an exit (KVM's ioeventfd).
///
/// This is an optimization. Without a connection the write reaches the device, which signals the doorbell itself.
package protocol DoorbellBoard: AnyObject, Sendable {
    /// Connects `bell`: a write of `size` bytes with `value` to the guest-physical `address` then signals it and does not reach
    /// the device.
    ///
    /// - Returns: false when the engine cannot connect it.
    func connect(_ bell: Doorbell, at address: UInt64, size: Int, value: UInt64) -> Bool

    /// Disconnects a bell. The arguments are those of `connect`.
    func disconnect(_ bell: Doorbell, at address: UInt64, size: Int, value: UInt64)
}
