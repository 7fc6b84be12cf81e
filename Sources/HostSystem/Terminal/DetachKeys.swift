/// Finds the keys that leave a command or a console in typed bytes: ctrl-p, ctrl-q unless the user chose others.
package struct DetachKeys: Equatable, Sendable {
    package static let usual = DetachKeys(sequence: [0x10, 0x11])
    private static let longest = 16

    private let sequence: [UInt8]
    /// How many keys of the sequence were typed last. These are held back.
    private var held = 0

    /// For a user at a terminal.
    package var hint: String {
        guard !sequence.isEmpty else { return "Ctrl-] three times detaches" }
        let names = sequence.map { key in
            key < 0x20 ? "Ctrl-\(Character(Unicode.Scalar(key + 0x40)))" : "\(Character(Unicode.Scalar(key)))"
        }
        return "\(names.joined(separator: " ")) detaches"
    }

    private init(sequence: [UInt8]) {
        self.sequence = sequence
    }

    /// Reads podman's notation: `ctrl-X` or single characters, separated by commas; an empty text means no keys.
    package init?(parsing text: String) {
        var sequence: [UInt8] = []
        for word in text.isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false) {
            let bytes = Array(word.utf8)
            if bytes.count == 1, 0x20..<0x7F ~= bytes[0] {
                sequence.append(bytes[0])
            } else if bytes.count == 6, word.hasPrefix("ctrl-"), let key = Self.control(bytes[5]) {
                sequence.append(key)
            } else {
                return nil
            }
        }
        guard sequence.count <= Self.longest else { return nil }
        self.sequence = sequence
    }

    /// The control character of a letter or of `@ [ \ ] ^ _`.
    private static func control(_ key: UInt8) -> UInt8? {
        switch key {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): key - 0x60
        case UInt8(ascii: "@")...UInt8(ascii: "_"): key - 0x40
        default: nil
        }
    }

    /// Looks at typed bytes.
    ///
    /// - Returns: the bytes for the guest, and whether the keys are complete. Bytes behind the keys are dropped.
    package mutating func examine(_ bytes: some Sequence<UInt8>) -> (forGuest: [UInt8], isDetached: Bool) {
        var result: [UInt8] = []
        guard !sequence.isEmpty else { return (Array(bytes), false) }
        for byte in bytes {
            // The longest end of the held keys and this one that begins the sequence stays held.
            var candidate = Array(sequence[..<held]) + [byte]
            while !candidate.isEmpty, !sequence.starts(with: candidate) { result.append(candidate.removeFirst()) }
            held = candidate.count
            if held == sequence.count {
                held = 0
                return (result, true)
            }
        }
        return (result, false)
    }
}
