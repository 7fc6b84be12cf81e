/// The name that a user gives an image: `debian`, `debian:trixie`.
///
/// Both parts become names of files below the store, so their alphabet is narrow: a lower-case letter or digit, then
/// at most 63 more of letters, digits, `.`, `_`, `+` and `-`. No path separator and no leading dot ever gets through.
package struct ImageReference: Hashable, Comparable, Codable, Sendable, CustomStringConvertible {
    package let name: String
    package let tag: String

    /// Debian's current stable release, which `debian` alone stands for.
    package static let defaultDebianSuite = "trixie"

    /// Reads `NAME[:TAG]`; without a tag, `debian` means its stable suite and every other name means `latest`.
    package init(parsing text: String) throws(ImageError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let fallback = parts[0] == "debian" ? Self.defaultDebianSuite : "latest"
        try self.init(name: parts[0], tag: parts.count == 2 ? parts[1] : fallback)
    }

    package init(name: String, tag: String) throws(ImageError) {
        for part in [name, tag] where !Self.isValid(part) {
            throw ImageError(
                .usage,
                "image '\(name):\(tag)': '\(part)' is not a valid name; use lower-case letters, digits and . _ + - (at most 64)"
            )
        }
        self.name = name
        self.tag = tag
    }

    package var description: String { "\(name):\(tag)" }

    package static func < (left: Self, right: Self) -> Bool {
        (left.name, left.tag) < (right.name, right.tag)
    }

    package init(from decoder: any Decoder) throws {
        try self.init(parsing: decoder.singleValueContainer().decode(String.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    private static func isValid(_ part: String) -> Bool {
        func isStart(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: false
            }
        }
        guard let first = part.utf8.first, isStart(first), part.utf8.count <= 64 else { return false }
        return part.utf8.allSatisfy { isStart($0) || "._+-".utf8.contains($0) }
    }
}
