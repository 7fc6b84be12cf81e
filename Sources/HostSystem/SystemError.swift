internal import Glibc

/// A failed system call: which call, on what, and the kernel's reason.
package struct SystemError: Error, Equatable, CustomStringConvertible {
    /// The call as a reader of man pages knows it, for example `open /dev/kvm`.
    package let call: String
    /// The `errno` value of the failure.
    package let code: Int32

    package init(_ call: String, code: Int32) {
        self.call = call
        self.code = code
    }

    /// The failure that the calling thread's last system call reported. Call it before anything else can change `errno`.
    package static func last(_ call: String) -> SystemError {
        SystemError(call, code: errno)
    }

    /// What the user can do about it, for failures that say little by themselves.
    package var advice: String? {
        code == EFBIG ? "raise the limit on the size of files (ulimit -f)" : nil
    }

    package var description: String {
        "\(call): \(String(cString: strerror(code)))"
    }
}

/// Runs a system call that returns -1 on failure, again when a signal interrupts it.
package func checked<Result: FixedWidthInteger>(
    _ call: @autoclosure () -> String, _ body: () -> Result
) throws(SystemError) -> Result {
    while true {
        let result = body()
        if result != -1 { return result }
        let code = errno
        if code != EINTR { throw SystemError(call(), code: code) }
    }
}
