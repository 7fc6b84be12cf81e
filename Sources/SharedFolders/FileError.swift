internal import Glibc

/// The failure of a request, as the `errno` value that the guest gets. Linux gives the same values the same meaning on every
/// architecture that a guest may have.
package struct FileError: Error, Equatable {
    package let code: Int32

    package init(_ code: Int32) { self.code = code }

    /// A kernel that follows the protocol sends no such request.
    static let malformed = FileError(EINVAL)
    /// What a node stood for is not there any more.
    static let stale = FileError(ESTALE)
    /// The answer has to wait for the host.
    static let wouldBlock = FileError(EAGAIN)
}

/// Runs a system call that returns -1 on failure.
func host<Result: FixedWidthInteger>(_ body: () -> Result) throws(FileError) -> Result {
    while true {
        let result = body()
        if result != -1 { return result }
        let code = errno
        if code != EINTR { throw FileError(code) }
    }
}
