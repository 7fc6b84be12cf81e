internal import Glibc

/// The name of an entry in one directory. It cannot lead anywhere else: it has no slash and is neither `.` nor `..`.
struct FileName: Hashable, Sendable {
    /// With the NUL at the end.
    let text: [CChar]

    /// - Parameter text: with the NUL at the end.
    init(_ text: [CChar]) throws(FileError) {
        // NAME_MAX of Linux.
        guard text.count <= 256 else { throw FileError(ENAMETOOLONG) }
        let dot = CChar(bitPattern: UInt8(ascii: "."))
        guard text.count > 1, text != [dot, 0], text != [dot, dot, 0],
            !text.contains(CChar(bitPattern: UInt8(ascii: "/")))
        else { throw .malformed }
        self.text = text
    }

    /// Not one more name that a directory lists for itself or its parent.
    init?(entry bytes: some Collection<UInt8>) {
        guard let name = try? FileName(bytes.map { CChar(bitPattern: $0) } + [0]) else { return nil }
        self = name
    }
}
