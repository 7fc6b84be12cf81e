internal import Glibc
internal import HostSystem

/// Reads flash images from files.
enum FlashImage {
    /// The bytes of the file at `path`, at most `limit`.
    static func read(path: String, limit: UInt64) throws(FlashError) -> [UInt8] {
        let result: Result<[UInt8], FlashError>
        do throws(SystemError) {
            result = try load(path: path, limit: limit)
        } catch {
            throw .unreadable(error)
        }
        return try result.get()
    }

    private static func load(path: String, limit: UInt64) throws(SystemError) -> Result<[UInt8], FlashError> {
        let file = try FileDescriptor(path: path, flags: O_RDONLY)
        let size = try file.size()
        guard size <= limit else { return .failure(.imageTooLarge(bytes: size, limit: limit)) }
        var bytes = [UInt8](repeating: 0, count: Int(size))
        let count = try bytes.withUnsafeMutableBytes { buffer in
            Result { () throws(SystemError) in try file.read(at: 0, into: buffer) }
        }.get()
        // A file that shrank meanwhile ends where it ends now.
        return .success(Array(bytes.prefix(count)))
    }
}
