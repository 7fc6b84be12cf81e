internal import CLinux
internal import Glibc

/// A failed system call with its object and its errno value.
package struct SystemError: Error, Equatable, CustomStringConvertible {
    /// The call by its name in the manual pages, with its object, for example `open /dev/kvm`.
    package let call: String
    /// The `errno` value of the failure.
    package let code: Int32

    package init(_ call: String, code: Int32) {
        self.call = call
        self.code = code
    }

    /// The failure of the calling thread's last system call. Call this before other code can change `errno`.
    package static func last(_ call: String) -> SystemError {
        SystemError(call, code: errno)
    }

    /// The remedy, for failures whose reason does not suggest one.
    package var advice: String? { meetsFileSizeLimit ? "raise it" : nil }

    /// Whether the process's limit on the size of files (RLIMIT_FSIZE) is the reason. Files in memory have this limit, too.
    package var meetsFileSizeLimit: Bool { code == EFBIG && aerie_file_size_limit() != .max }

    /// The reason alone, for a message that names the call's object itself.
    package var reason: String {
        guard meetsFileSizeLimit else { return String(cString: strerror(code)) }
        // Shells count in blocks of 512 or 1024 bytes.
        let limit = aerie_file_size_limit()
        return
            "the limit on the size of files (ulimit -f) is \(limit % 1024 == 0 ? "\(limit / 1024)K" : "\(limit) bytes")"
    }

    package var description: String { "\(call): \(reason)" }
}

/// Runs a system call that returns -1 on failure, and repeats it after EINTR.
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
