import SavedState
import Testing

@Suite struct CRC32CTests {
    // RFC 3720, appendix B.4.
    @Test func theExamplesOfTheStandardComeOut() {
        #expect(CRC32C.checksum(of: [UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(CRC32C.checksum(of: [UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(CRC32C.checksum(of: Array("123456789".utf8)) == 0xE306_9283)
    }
}
