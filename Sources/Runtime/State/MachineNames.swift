package import Aerie
internal import HostSystem

/// Names and IDs of machines.
package enum MachineNames {
    private static let idLength = 12
    private static let longestName = 63

    private static let qualities = [
        "agile", "bold", "brave", "bright", "calm", "clever", "daring", "eager", "fleet", "gentle", "golden", "happy",
        "keen", "lively", "lucky", "merry", "nimble", "noble", "patient", "proud", "quick", "quiet", "silent",
        "soaring",
        "steady", "strong", "swift", "tireless", "vivid", "wise",
    ]
    private static let birds = [
        "albatross", "bunting", "buzzard", "condor", "crane", "curlew", "dipper", "eagle", "falcon", "finch", "goshawk",
        "harrier", "heron", "hobby", "ibis", "jay", "kestrel", "kite", "lark", "martin", "merlin", "osprey", "owl",
        "petrel", "plover", "raven", "robin", "shrike", "skylark", "sparrow", "starling", "stork", "swallow", "swan",
        "tern", "thrush", "wagtail", "wren",
    ]

    /// Whether a text has the form of an ID.
    package static func isID(_ text: String) -> Bool {
        text.utf8.count == idLength
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    /// An ID that no machine has.
    static func newID() throws(AerieError) -> String {
        let number = try random() & (1 << 48 - 1)
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: idLength - digits.utf8.count) + digits
    }

    /// A name of two words that is not taken.
    static func newName(isTaken: (String) -> Bool) throws(AerieError) -> String {
        for attempt in 0..<1000 {
            let number = try random()
            let quality = qualities[Int(number % UInt64(qualities.count))]
            let bird = birds[Int(number >> 32) % birds.count]
            // With many machines, two words are not enough.
            let name = attempt < 10 ? "\(quality)-\(bird)" : "\(quality)-\(bird)-\(number >> 16 & 0xFFF)"
            if !isTaken(name) { return name }
        }
        throw AerieError(.usage, asked: "a name for the machine", found: "all names are taken", advice: "use --name")
    }

    /// Checks a name that a user has chosen: it stands in paths, in a guest's hostname, and beside IDs.
    package static func check(_ name: String) throws(AerieError) {
        let isPlain = name.utf8.enumerated().allSatisfy { index, byte in
            (0x61...0x7A).contains(byte | 0x20) || (0x30...0x39).contains(byte)
                || index > 0 && (byte == 0x2D || byte == 0x2E || byte == 0x5F)
        }
        guard isPlain, (1...longestName).contains(name.utf8.count) else {
            throw AerieError(
                .usage, asked: "the name '\(name)'",
                found:
                    "a name has 1 to \(longestName) letters, digits, hyphens, dots and underscores, and begins with a "
                    + "letter or a digit", advice: "choose another name")
        }
        guard !isID(name) else {
            throw AerieError(
                .usage, asked: "the name '\(name)'", found: "it has the form of an ID", advice: "choose another name")
        }
    }

    private static func random() throws(AerieError) -> UInt64 {
        var number: UInt64 = 0
        do throws(SystemError) {
            try withUnsafeMutableBytes(of: &number) { (bytes) throws(SystemError) in try fillWithRandomBytes(bytes) }
        } catch {
            throw AerieError(opening: "random numbers", error)
        }
        return number
    }
}
