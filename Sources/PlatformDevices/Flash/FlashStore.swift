/// What keeps the contents of a flash bank: a file of the host.
package protocol FlashStore: AnyObject, Sendable {
    /// Bytes.
    var size: UInt64 { get }

    /// Whether `write` always fails.
    var isReadOnly: Bool { get }

    /// Fills `buffer` from `offset`. Called while the machine is built.
    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(FlashError)

    /// Begins a write; at most one is in progress. Any thread; it never waits.
    ///
    /// - Parameters:
    ///   - bytes: stay in place until `completion`. The guest may change them meanwhile.
    ///   - completion: takes the reason of a failure, or nil. It is called outside of this call.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, completion: @escaping @Sendable (String?) -> Void)

    /// Cancels the write in progress, whose completion still follows. Any thread; it never waits.
    func cancel()

    /// Lets go of the file.
    func close()
}
