// The byte order of qcow2.

extension UnsafeRawBufferPointer {
    func bigEndian<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Value.Type = Value.self)
        -> Value
    {
        Value(bigEndian: loadUnaligned(fromByteOffset: offset, as: Value.self))
    }
}

extension UnsafeMutableRawBufferPointer {
    func bigEndian<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Value.Type = Value.self)
        -> Value
    {
        UnsafeRawBufferPointer(self).bigEndian(at: offset)
    }

    func storeBigEndian<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: Value.self)
    }
}

extension [UInt8] {
    func bigEndian<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Value.Type = Value.self)
        -> Value
    {
        withUnsafeBytes { $0.bigEndian(at: offset) }
    }

    mutating func storeBigEndian<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
        withUnsafeMutableBytes { $0.storeBigEndian(value, at: offset) }
    }
}
