/// Writes an answer, field by field, in little-endian order.
struct ReplyBytes {
    private(set) var bytes: [UInt8] = []

    init() {}

    /// - Parameter capacity: bytes that are expected.
    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    var count: Int { bytes.count }

    mutating func add<Integer: FixedWidthInteger>(_ value: Integer) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func add(zeroes count: Int) { bytes.append(contentsOf: repeatElement(0, count: count)) }

    mutating func add(_ other: some Sequence<UInt8>) { bytes.append(contentsOf: other) }
}
