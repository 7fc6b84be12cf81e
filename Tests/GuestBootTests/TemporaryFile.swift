import Glibc

/// A file with the given contents, removed when the object goes away.
final class TemporaryFile {
    let path: String

    init(_ contents: [UInt8]) throws {
        var template = Array("/tmp/aerie-test-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0, write(descriptor, contents, contents.count) == contents.count else {
            throw TemporaryFileError(code: errno)
        }
        close(descriptor)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { unlink(path) }
}

struct TemporaryFileError: Error {
    let code: Int32
}
