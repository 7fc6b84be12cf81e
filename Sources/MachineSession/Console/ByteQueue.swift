/// Bytes in the order of their arrival, with a fixed room for them.
package struct ByteQueue {
    private let capacity: Int
    private var bytes: [UInt8] = []
    private var taken = 0

    package init(capacity: Int) {
        self.capacity = capacity
    }

    package var count: Int { bytes.count - taken }
    package var room: Int { capacity - count }

    /// Adds bytes; the caller has looked at `room`.
    package mutating func append(_ new: some Collection<UInt8>) {
        precondition(new.count <= room, "input beyond the queue's room")
        bytes += new
    }

    /// Takes the oldest bytes, up to `limit`.
    package mutating func take(_ limit: Int) -> [UInt8] {
        let end = taken + max(0, min(limit, count))
        defer {
            taken = end
            // Moving the rest only when the queue is half empty keeps the cost of a byte constant.
            if taken * 2 >= bytes.count {
                bytes.removeFirst(taken)
                taken = 0
            }
        }
        return Array(bytes[taken..<end])
    }
}
