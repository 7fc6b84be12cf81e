package import HostSystem

/// Where an engine can let a guest's write ring a bell without leaving guest code.
///
/// It is a short cut: where a connection cannot be made, the write reaches the device on the bus, which rings by itself.
package protocol DoorbellBoard: AnyObject, Sendable {
    /// From now on a write of `size` bytes with `value` at the guest-physical `address` rings `bell` and reaches nobody else.
    ///
    /// - Returns: whether it does.
    func connect(_ bell: Doorbell, at address: UInt64, size: Int, value: UInt64) -> Bool

    /// Ends what `connect` with the same arguments began.
    func disconnect(_ bell: Doorbell, at address: UInt64, size: Int, value: UInt64)
}
