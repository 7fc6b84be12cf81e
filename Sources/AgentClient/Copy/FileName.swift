/// One component of a path below an open directory: never a path of its own, and no way out of the directory.
struct FileName: Equatable, Hashable, Sendable {
    /// The longest name (NAME_MAX) and the most components of a path, which has 4095 bytes at most.
    private static let longest = 255
    static let mostComponents = 2048

    /// With a zero byte at the end.
    let characters: [CChar]

    /// Nil for what is no name: empty, `.`, `..`, too long, or with a slash or a zero byte.
    init?(_ bytes: some Collection<UInt8>) {
        guard 1...Self.longest ~= bytes.count, !bytes.contains(0), !bytes.contains(UInt8(ascii: "/")) else {
            return nil
        }
        guard !bytes.elementsEqual([UInt8(ascii: ".")]),
            !bytes.elementsEqual([UInt8](repeating: UInt8(ascii: "."), count: 2))
        else { return nil }
        characters = bytes.map { CChar(bitPattern: $0) } + [0]
    }

    var bytes: [UInt8] { characters.dropLast().map { UInt8(bitPattern: $0) } }

    /// The components of a relative path, without `.`; nil if it is absolute, leads upwards or is too deep.
    static func components(_ path: [UInt8]) -> [FileName]? {
        guard path.first != UInt8(ascii: "/") else { return nil }
        var result: [FileName] = []
        for part in path.split(separator: UInt8(ascii: "/")) where !part.elementsEqual([UInt8(ascii: ".")]) {
            guard result.count < mostComponents, let name = FileName(part) else { return nil }
            result.append(name)
        }
        return result
    }

    /// A path for a message.
    static func text(_ components: [FileName]) -> String {
        PrintableText.of(Array(components.map(\.bytes).joined(separator: [UInt8(ascii: "/")])))
    }
}
