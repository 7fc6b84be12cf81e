internal import Glibc
internal import HostSystem

/// Digests an image's files, without reading the holes of its sparse root disk.
///
/// The digest is SHA-256 over, for each file, its name and size in a line of text, then every block of 64 KiB that is
/// not all zero: its offset in 8 bytes, least significant first, and its bytes. Holes and zeros therefore count the
/// same, and a copy of an image has the digest of the original.
struct ContentDigest {
    let runner: ToolRunner

    private static let block = 1 << 16

    /// - Parameter names: files in `directory`.
    /// - Returns: 64 hexadecimal digits.
    func digest(of names: [String], in directory: String) async throws(ImageError) -> String {
        let output = try await runner.run(.sha256sum, [], purpose: "summing the image's files") { write in
            for name in names { try await Self.feed(name, in: directory, to: write) }
        }
        let digest = String(output.prefix { $0 != " " })
        guard digest.utf8.count == 64 else {
            throw ImageError(.internalFailure, "summing the image's files: sha256sum printed '\(output)'")
        }
        return digest
    }

    private static func feed(
        _ name: String, in directory: String, to write: ([UInt8]) async throws -> Void
    ) async throws {
        let file = try FileDescriptor(path: "\(directory)/\(name)", flags: O_RDONLY)
        let size = try file.size()
        try await write(Array("\(name) \(size)\n".utf8))
        var offset: UInt64 = 0
        while let data = nextData(file, from: offset) {
            offset = data / UInt64(block) * UInt64(block)
            var bytes = [UInt8](repeating: 0, count: block)
            let count = try bytes.withUnsafeMutableBytes { try file.read(at: offset, into: $0) }
            bytes.removeLast(block - count)
            if bytes.contains(where: { $0 != 0 }) {
                let header = (0..<8).map { UInt8(truncatingIfNeeded: offset >> ($0 * 8)) }
                try await write(header + bytes)
            }
            offset += UInt64(block)
        }
    }

    /// Where the next written byte may be, nil after the last (lseek SEEK_DATA).
    private static func nextData(_ file: borrowing FileDescriptor, from offset: UInt64) -> UInt64? {
        let seekData: Int32 = 3
        let found = lseek(file.rawValue, off_t(offset), seekData)
        return found < 0 ? nil : UInt64(found)
    }
}
