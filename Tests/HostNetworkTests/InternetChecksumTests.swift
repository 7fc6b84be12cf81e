import HostNetwork
import TestSupport
import Testing

@Suite struct InternetChecksumTests {
    /// The sum as RFC 1071 writes it down: one word after the other.
    private func reference(_ bytes: [UInt8]) -> UInt16 {
        var total: UInt32 = 0
        for index in stride(from: 0, to: bytes.count, by: 2) {
            let low = index + 1 < bytes.count ? UInt32(bytes[index + 1]) : 0
            total += UInt32(bytes[index]) << 8 | low
            total = total & 0xFFFF + total >> 16
        }
        return UInt16(total)
    }

    @Test func theExampleOfTheStandard() {
        let bytes: [UInt8] = [0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7]
        #expect(bytes.withUnsafeBytes(InternetChecksum.sum) == 0xDDF2)
    }

    @Test func everyLengthAndAlignmentHasTheSumOfItsWords() {
        var random = SeededGenerator(seed: 1)
        for count in 0..<70 {
            for start in 0..<4 {
                let bytes = (0..<count + start).map { _ in UInt8.random(in: .min ... .max, using: &random) }
                let sum = bytes.withUnsafeBytes {
                    InternetChecksum.sum(UnsafeRawBufferPointer(rebasing: $0[start...]))
                }
                #expect(sum % 0xFFFF == reference(Array(bytes[start...])) % 0xFFFF)
            }
        }
        let large = [UInt8](repeating: 0xFF, count: 65535)
        #expect(large.withUnsafeBytes(InternetChecksum.sum) == reference(large))
    }

    @Test func aPartialChecksumIsFinishedInPlace() {
        // A UDP datagram with its pseudo header's sum in the checksum field.
        var frame: [UInt8] = Array(repeating: 0xAA, count: 14) + [0, 53, 0, 54, 0, 12, 0x12, 0x34, 1, 2, 3, 4]
        var header = OffloadHeader()
        header.flags = OffloadHeader.needsChecksum
        header.checksumStart = 14
        header.checksumOffset = 6
        let expected = ~reference(Array(frame[14...]))
        #expect(frame.withUnsafeMutableBytes { InternetChecksum.complete(header, in: $0) })
        #expect(UInt16(frame[20]) << 8 | UInt16(frame[21]) == expected)
        #expect(Array(frame[..<14]) == Array(repeating: 0xAA, count: 14))
    }

    @Test func aChecksumOfZeroIsSentAsItsOtherForm() {
        var frame: [UInt8] = [0xFF, 0xFF, 0, 0]
        var header = OffloadHeader()
        header.checksumOffset = 2
        #expect(frame.withUnsafeMutableBytes { InternetChecksum.complete(header, in: $0) })
        #expect(frame == [0xFF, 0xFF, 0xFF, 0xFF])
    }

    @Test(arguments: [(0, 3), (3, 0), (65535, 65535), (4, 0), (0, 65535)])
    func aChecksumOutsideOfTheFrameIsRefused(start: Int, offset: Int) {
        var frame: [UInt8] = [1, 2, 3, 4]
        var header = OffloadHeader()
        header.checksumStart = UInt16(start)
        header.checksumOffset = UInt16(offset)
        #expect(!frame.withUnsafeMutableBytes { InternetChecksum.complete(header, in: $0) })
        #expect(frame == [1, 2, 3, 4])
    }
}
