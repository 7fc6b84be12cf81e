internal import CSockets
internal import Glibc

/// Open files that a program has sent over a connection, until a request takes them.
final class ReceivedFiles {
    /// More than a request takes are closed.
    private static let most = 2

    private var descriptors: [Int32] = []

    /// Receives bytes and files.
    ///
    /// - Returns: how many bytes have come; 0 or less at the end of the connection.
    func receive(_ socket: Int32, into buffer: inout [UInt8]) -> Int {
        var numbers: [Int32] = [-1, -1, -1, -1]
        var found: Int32 = 0
        let count = buffer.withUnsafeMutableBytes {
            aerie_stream_receive(socket, $0.baseAddress, UInt($0.count), &numbers, &found)
        }
        for number in numbers[..<Int(found)] {
            if descriptors.count < Self.most { descriptors.append(number) } else { close(number) }
        }
        return count
    }

    /// All files that have come, which are the caller's then; nil when their number is another one.
    func take(_ count: Int) -> [Int32]? {
        guard descriptors.count == count else { return nil }
        defer { descriptors = [] }
        return descriptors
    }

    deinit { for number in descriptors { close(number) } }
}
