/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as iSCSI and ext4 use it (RFC 3720, appendix B.4).
package struct CRC32C: Sendable {
    private var register: UInt32 = ~0

    package init() {}

    private static let table: [UInt32] = (0..<256).map { index in
        var value = UInt32(index)
        for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
        return value
    }

    package mutating func update(_ bytes: some Sequence<UInt8>) {
        var register = self.register
        Self.table.withUnsafeBufferPointer { table in
            for byte in bytes { register = register >> 8 ^ table[Int(UInt8(truncatingIfNeeded: register) ^ byte)] }
        }
        self.register = register
    }

    package var checksum: UInt32 { ~register }

    package static func checksum(of bytes: some Sequence<UInt8>) -> UInt32 {
        var crc = CRC32C()
        crc.update(bytes)
        return crc.checksum
    }
}
