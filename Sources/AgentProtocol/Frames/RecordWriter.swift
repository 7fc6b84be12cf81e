/// Writes a payload that is a list of fields. `RecordReader` has the layout.
struct RecordWriter {
    private(set) var bytes: [UInt8] = []

    mutating func add(_ tag: UInt16, _ value: [UInt8]) {
        bytes.appendInteger(tag)
        bytes.appendInteger(UInt16(0))
        bytes.appendInteger(UInt32(value.count))
        bytes.append(contentsOf: value)
    }

    mutating func add<Value: FixedWidthInteger & UnsignedInteger>(_ tag: UInt16, integer value: Value) {
        var bytes: [UInt8] = []
        bytes.appendInteger(value)
        add(tag, bytes)
    }

    mutating func add(_ tag: UInt16, ifThere value: [UInt8]?) {
        if let value { add(tag, value) }
    }
}
