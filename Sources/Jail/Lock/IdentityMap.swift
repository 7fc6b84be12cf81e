internal import CJail

/// The users or groups of a user namespace.
enum IdentityMap {
    /// A map by which a new namespace has the same ones as this process's, under the same numbers.
    ///
    /// - Parameter file: uid_map or gid_map.
    static func own(_ file: String) -> String? {
        var text = [CChar](repeating: 0, count: 16384)
        guard aerie_jail_read_file("/proc/self/\(file)", &text, text.count) == 0 else { return nil }
        return same(as: String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }

    /// Each line of a map is the first number inside, the first outside, and their count.
    static func same(as text: String) -> String? {
        var lines: [String] = []
        for line in text.split(separator: "\n" as Character) {
            let numbers = line.split(separator: " " as Character).compactMap { UInt32($0) }
            guard numbers.count == 3 else { return nil }
            lines.append("\(numbers[0]) \(numbers[0]) \(numbers[2])\n")
        }
        return lines.isEmpty ? nil : lines.joined()
    }
}
