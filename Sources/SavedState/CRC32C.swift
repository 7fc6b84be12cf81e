internal import CLinux

/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as iSCSI and ext4 use it (RFC 3720, appendix B.4).
package struct CRC32C: Sendable {
    /// How the checksum is computed. The result is the same.
    package enum Method: Sendable {
        /// The processor's own instruction.
        case hardware
        /// Tables, eight bytes at a time.
        case tables

        /// The fastest one of this processor.
        package static let best: Method = aerie_has_crc32c() != 0 ? .hardware : .tables
    }

    private var register: UInt32 = ~0
    private let method: Method

    /// - Parameter method: `hardware` only where it is `Method.best`.
    package init(method: Method = .best) {
        precondition(method == .tables || Method.best == .hardware, "this processor has no instruction for CRC-32C")
        self.method = method
    }

    /// Adds bytes behind those before.
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        switch method {
        case .hardware: register = aerie_crc32c(register, base, bytes.count)
        case .tables: register = Tables.shared.update(register, bytes)
        }
    }

    package mutating func update(_ bytes: some Sequence<UInt8>) {
        // Arrays and slices of them lie in memory as they are; other sequences are short.
        let isDone: Void? = bytes.withContiguousStorageIfAvailable { update(UnsafeRawBufferPointer($0)) }
        if isDone == nil { Array(bytes).withUnsafeBytes { update($0) } }
    }

    package var checksum: UInt32 { ~register }

    package static func checksum(of bytes: some Sequence<UInt8>) -> UInt32 {
        var crc = CRC32C()
        crc.update(bytes)
        return crc.checksum
    }

    package static func checksum(of bytes: UnsafeRawBufferPointer) -> UInt32 { checksum(of: [], bytes) }

    /// Of the fields of a block, and of the data behind them.
    package static func checksum(of fields: [UInt8], _ data: UnsafeRawBufferPointer) -> UInt32 {
        var crc = CRC32C()
        crc.update(fields)
        crc.update(data)
        return crc.checksum
    }
}

/// The effect of a byte on the register, for a byte that is followed by 0 to 7 others: row n, column `byte`.
private struct Tables {
    static let shared = Tables()

    private let rows: [UInt32]

    private init() {
        var rows: [UInt32] = (0..<256).map { index in
            var value = UInt32(index)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
            return value
        }
        for index in 256..<8 * 256 {
            let before = rows[index - 256]
            rows.append(before >> 8 ^ rows[Int(before & 255)])
        }
        self.rows = rows
    }

    func update(_ register: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var register = register
        rows.withUnsafeBufferPointer { rows in
            var position = 0
            while position + 8 <= bytes.count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
                let mixed = word ^ UInt64(register)
                var next: UInt32 = 0
                for byte in 0..<8 { next ^= rows[(7 - byte) << 8 | Int(mixed >> UInt64(8 * byte) & 255)] }
                register = next
                position += 8
            }
            for byte in bytes[position...] { register = register >> 8 ^ rows[Int(register & 255 ^ UInt32(byte))] }
        }
        return register
    }
}
