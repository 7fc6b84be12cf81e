internal import CSockets
internal import Glibc

/// Open files that came over a connection, until somebody takes them.
package final class ReceivedFiles {
    /// More files than these are closed.
    private let most: Int
    private var descriptors: [Int32] = []

    package init(most: Int) { self.most = most }

    /// Receives bytes and files.
    ///
    /// - Returns: how many bytes have come; 0 or less at the end of the connection.
    package func receive(_ socket: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var numbers = [Int32](repeating: -1, count: aerie_stream_most_descriptors)
        var found: Int32 = 0
        let count = aerie_stream_receive(socket, buffer.baseAddress, UInt(buffer.count), &numbers, &found)
        for number in numbers[..<Int(found)] {
            if descriptors.count < most { descriptors.append(number) } else { close(number) }
        }
        return count
    }

    /// All files that have come, which are the caller's then; nil when their number is another one.
    package func take(_ count: Int) -> [Int32]? {
        guard descriptors.count == count else { return nil }
        defer { descriptors = [] }
        return descriptors
    }

    /// All files that have come, which are the caller's then.
    package func takeAll() -> [Int32] {
        defer { descriptors = [] }
        return descriptors
    }

    deinit { for number in descriptors { close(number) } }
}
