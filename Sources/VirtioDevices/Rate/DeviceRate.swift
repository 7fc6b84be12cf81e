/// How much a device may do in a second; nil does not limit.
package struct DeviceRate: Equatable, Sendable {
    /// Bytes of data in a second, more than 0.
    package var bytes: UInt64?
    /// Requests or frames in a second, more than 0.
    package var operations: UInt64?

    package init(bytes: UInt64? = nil, operations: UInt64? = nil) {
        self.bytes = bytes
        self.operations = operations
    }
}
