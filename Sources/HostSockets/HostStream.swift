/// A stream of bytes in both directions between a guest and a program of the host. Nothing here waits for the program.
///
/// All calls are made on the thread of the machine's event loop, and so are those of `handler`.
package protocol HostStream: AnyObject, Sendable {
    /// Called when there may be something to receive, when bytes that waited were sent, and when the program ended the stream.
    var handler: (@Sendable () -> Void)? { get set }

    /// Sends the pieces in their order. What the program does not take now waits; the caller bounds `waitingCount`. A program that takes
    /// nothing any more loses the bytes, and `isBroken` says so.
    func send(_ pieces: [UnsafeRawBufferPointer])

    /// The number of bytes that wait for the program.
    var waitingCount: Int { get }

    /// The program takes no bytes any more.
    var isBroken: Bool { get }

    /// The program has ended both directions.
    var isHungUp: Bool { get }

    /// Fills the pieces in their order with what has arrived.
    func receive(into pieces: [UnsafeMutableRawBufferPointer]) -> ReceivedBytes

    /// Ends the direction to the program, after the bytes that wait.
    func endSending()

    /// Ends the direction from the program.
    func endReceiving()

    /// Ends the stream at once. `handler` is not called any more.
    func close()
}

/// The result of `HostStream.receive`.
package enum ReceivedBytes: Equatable, Sendable {
    /// So many bytes, more than none.
    case bytes(Int)
    /// None now; `HostStream.handler` is called when there are some.
    case none
    /// The program sends no more.
    case end
    /// The program is gone, and so may be bytes in both directions.
    case failed
}
