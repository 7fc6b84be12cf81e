/// A digest of texts: FNV-1a of 64 bits. It notices changes that a user makes to a file; nobody has a reason to forge it.
struct Fingerprint {
    private var state: UInt64 = 0xcbf2_9ce4_8422_2325

    /// Adds a text. Its length is added, too, so that other texts in a row give another digest.
    mutating func add(_ text: String) {
        add(bytes: "\(text.utf8.count):".utf8)
        add(bytes: text.utf8)
    }

    private mutating func add(bytes: String.UTF8View) {
        for byte in bytes {
            state ^= UInt64(byte)
            state = state &* 0x100_0000_01b3
        }
    }

    /// 16 hexadecimal digits.
    var text: String {
        let digits = String(state, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}
