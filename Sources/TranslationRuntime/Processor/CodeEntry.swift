/// Points to a record by which a front end's interpreter and its jump cache enter generated code: the 24 bytes of the front end's
/// entry record, and behind them the code's host address. It is valid until the code is removed.
package typealias CodeEntry = UnsafeRawPointer

extension UnsafeRawPointer {
    /// The host address of the code behind a `CodeEntry`.
    @inlinable @inline(__always)
    public var entryCode: UInt {
        // Behind a `HelperRecord`.
        load(fromByteOffset: 24, as: UInt.self)
    }
}

/// The C type of the function that enters generated code: the processor's state and the host address of code. The result counts
/// only when a helper left the block.
package typealias NativeEntry = @convention(c) (UnsafeMutableRawPointer, UInt) -> UnsafeRawPointer?
