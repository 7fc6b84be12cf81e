import Testing

@testable import TranslationRuntime

@Suite struct AddressRangesTests {
    @Test func whatWasPutInIsThereHoweverMuchThereIs() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var ranges = AddressRanges()
            var inside: [UInt64] = []
            for _ in 0..<40 {
                let size: UInt64 = 4096 << UInt64.random(in: 0...18, using: &random)
                let address = UInt64.random(in: 0...(.max), using: &random)
                ranges.insert(address, size: size)
                inside += [address, address & ~(size - 1), address | (size - 1)]
            }
            #expect(inside.allSatisfy { ranges.mayContain($0) })
        }
    }

    @Test func aFewRangesAreExact() {
        var ranges = AddressRanges()
        #expect(!ranges.mayContain(0))
        for index in 0..<8 as Range<UInt64> {
            ranges.insert(index << 32 | 0x1234, size: 4096)
            ranges.insert(index << 32 | 0x2234, size: 4096)
        }
        for index in 0..<8 as Range<UInt64> {
            #expect(ranges.mayContain(index << 32 | 0x1000) && ranges.mayContain(index << 32 | 0x2FFF))
            #expect(!ranges.mayContain(index << 32 | 0xFFF) && !ranges.mayContain(index << 32 | 0x3000))
        }
    }

    @Test func oneRangeTooManyJoinsTheNearest() {
        var ranges = AddressRanges()
        for index in 0..<8 as Range<UInt64> { ranges.insert(index << 32, size: 4096) }
        ranges.insert(0x3_0001_0000, size: 4096)
        #expect(ranges.mayContain(0x3_0001_0FFF) && ranges.mayContain(0x3_0000_8000))
        #expect(!ranges.mayContain(0x3_0001_1000) && !ranges.mayContain(0x4_0001_0000))
    }

    @Test func theEndsOfTheAddressSpaceAreInIt() {
        var ranges = AddressRanges()
        ranges.insert(.max, size: 4096)
        ranges.insert(0, size: 4096)
        #expect(ranges.mayContain(.max) && ranges.mayContain(.max - 4095) && ranges.mayContain(4095))
        #expect(!ranges.mayContain(4096) && !ranges.mayContain(.max - 4096))
    }
}
