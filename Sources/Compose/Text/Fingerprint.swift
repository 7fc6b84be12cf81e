internal import HostSystem

/// A digest of texts. It notices changes that a user makes to a file; nobody has a reason to forge it.
struct Fingerprint {
    private var hash = FNV1a()

    /// Adds a text. Its length is added, too, so that other texts in a row give another digest.
    mutating func add(_ text: String) {
        hash.add("\(text.utf8.count):".utf8)
        hash.add(text.utf8)
    }

    /// 16 hexadecimal digits.
    var text: String { hash.text }
}
