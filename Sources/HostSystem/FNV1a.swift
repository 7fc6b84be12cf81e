/// FNV-1a of 64 bits (Fowler, Noll, Vo): a hash that is the same on every host and in every version of this program.
///
/// It finds changes and makes names. It does not protect: it is easy to make other bytes with the same hash.
package struct FNV1a: Equatable, Sendable {
    /// The hash of all bytes so far.
    package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    package init() {}

    package init(_ bytes: some Sequence<UInt8>) { add(bytes) }

    package mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }

    /// 16 hexadecimal digits.
    package var text: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}
