internal import Glibc
internal import HostSystem

/// Small files of the kernel, in /proc and in control groups.
enum ProcessFile {
    private static let longest = 1 << 20

    /// The text of a file; nil when it cannot be read.
    static func text(_ path: String) -> String? {
        guard let file = try? FileDescriptor(path: path, flags: O_RDONLY) else { return nil }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while bytes.count < longest {
            // The size of such a file is not known before its end.
            guard let count = try? chunk.withUnsafeMutableBytes({ try file.read(into: $0) }) else { return nil }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk[..<count]
        }
        return nil
    }

    /// Writes a text with one call, as such files want it. The file must be there.
    static func write(_ text: String, to path: String) throws(SystemError) {
        let file = try FileDescriptor(path: path, flags: O_WRONLY)
        let bytes = Array(text.utf8)
        _ = try checked("write \(path)") {
            bytes.withUnsafeBytes { Glibc.write(file.rawValue, $0.baseAddress, $0.count) }
        }
    }

    /// The numbers that name entries of a directory.
    static func numbers(in path: String) -> [Int32] { directoryNames(path).compactMap { Int32($0) } }
}
