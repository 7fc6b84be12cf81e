import SavedState
import Testing

@Suite("CRC-32C") struct CRC32CTests {
    private static let methods: [CRC32C.Method] = CRC32C.Method.best == .hardware ? [.tables, .hardware] : [.tables]

    private func checksum(_ bytes: some Sequence<UInt8>, _ method: CRC32C.Method) -> UInt32 {
        var crc = CRC32C(method: method)
        crc.update(bytes)
        return crc.checksum
    }

    // RFC 3720, appendix B.4; the text is the check value of the catalogue of parametrised CRC algorithms.
    @Test("The examples of the standard come out", arguments: methods)
    func examples(method: CRC32C.Method) {
        #expect(checksum([UInt8](repeating: 0, count: 32), method) == 0x8A91_36AA)
        #expect(checksum([UInt8](repeating: 0xFF, count: 32), method) == 0x62A8_AB43)
        #expect(checksum(UInt8(0)..<32, method) == 0x46DD_794E)
        #expect(checksum((UInt8(0)..<32).reversed(), method) == 0x113F_DB5C)
        #expect(checksum("123456789".utf8, method) == 0xE306_9283)
        #expect(checksum([], method) == 0)
        let command: [UInt8] = [
            0x01, 0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0x14, 0, 0, 0,
            0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
        ]
        #expect(checksum(command, method) == 0xD996_3A56)
    }

    /// One bit after the other, as the definition has it.
    private func defined(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        ~bytes.reduce(~0) { register, byte in
            (0..<8).reduce(register ^ UInt32(byte)) { value, _ in value >> 1 ^ (value & 1 == 1 ? 0x82F6_3B78 : 0) }
        }
    }

    @Test("Every length and alignment around the sizes of blocks has the sum of the definition", arguments: methods)
    func lengths(method: CRC32C.Method) {
        let bytes = (0..<8192).map { UInt8(truncatingIfNeeded: $0 * 167 ^ $0 >> 5) }
        let lengths =
            Array(0..<70) + [127, 128, 383, 384, 385, 400, 767, 768, 3071, 3072, 3073, 3456, 6144, 7000, 8000]
        for length in lengths {
            for start in [0, 1, 5, 8, 100] {
                let slice = bytes[start..<start + length]
                #expect(checksum(slice, method) == defined(slice), "\(length) bytes from \(start)")
            }
        }
    }

    @Test("Pieces have the sum of the whole", arguments: methods)
    func pieces(method: CRC32C.Method) {
        let bytes = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 * 31 ^ $0 >> 8) }
        var crc = CRC32C(method: method)
        var position = 0
        while position < bytes.count {
            let end = min(position * 2 + 1, bytes.count)
            crc.update(bytes[position..<end])
            position = end
        }
        #expect(crc.checksum == defined(bytes[...]))
    }
}
