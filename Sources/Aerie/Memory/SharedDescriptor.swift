internal import HostSystem

/// A descriptor that an array can hold.
final class SharedDescriptor: Sendable {
    private let owner: FileDescriptor

    var descriptor: Int32 { owner.rawValue }

    /// Nil when the file cannot be opened.
    init?(path: String, flags: Int32) {
        do throws(SystemError) { owner = try FileDescriptor(path: path, flags: flags) } catch { return nil }
    }

    /// The first bytes of the file as it is now; nil when it cannot be read.
    func text(limit: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = bytes.withUnsafeMutableBytes { buffer in
            // Files of /proc begin anew at offset 0.
            (try? owner.read(at: 0, into: buffer)) ?? 0
        }
        return count > 0 ? Array(bytes[..<count]) : nil
    }
}
