/// The last bytes of a stream.
struct ByteRing {
    private let capacity: Int
    private var stored: [UInt8] = []

    init(capacity: Int) { self.capacity = capacity }

    mutating func append(_ bytes: [UInt8]) {
        if bytes.count >= capacity {
            stored = Array(bytes.suffix(capacity))
            return
        }
        // Twice the capacity, so that bytes are moved now and then only.
        if stored.count + bytes.count > 2 * capacity { stored.removeFirst(stored.count - capacity) }
        stored += bytes
    }

    var bytes: [UInt8] { Array(stored.suffix(capacity)) }
}
