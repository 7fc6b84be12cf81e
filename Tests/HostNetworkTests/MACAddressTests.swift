import HostNetwork
import Testing

@Suite struct MACAddressTests {
    @Test func textAndBytesAreTheSameAddress() throws {
        let address = try #require(MACAddress("52:54:00:12:34:aB"))
        #expect(address.description == "52:54:00:12:34:ab")
        #expect(address.bytes == [0x52, 0x54, 0x00, 0x12, 0x34, 0xAB])
        #expect(MACAddress(address.bytes) == address)
        #expect(!address.isMulticast)
        #expect(MACAddress.broadcast.isMulticast)
    }

    @Test(arguments: [
        "", "52:54:00:12:34", "52:54:00:12:34:56:78", "52:54:00:12:34:5", "52-54-00-12-34-56", "+2:54:00:12:34:56",
        "52:54:00:12:34:0x",
    ])
    func otherTextIsNoAddress(text: String) {
        #expect(MACAddress(text) == nil)
    }

    @Test func localAddressesAreUnicastAndLocallyAdministered() {
        for bits in [0, UInt64.max, 0x0100_0000_0001] {
            let address = MACAddress(local: bits)
            #expect(address.bytes[0] & 3 == 2)
        }
    }
}
