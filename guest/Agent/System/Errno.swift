import Support

/// The kernel's reason for a failed call.
struct Errno: Error, Equatable {
    let number: Int32

    init(_ number: Int32) { self.number = number }

    static let notPermitted = Errno(1)
    static let noEntry = Errno(2)
    static let interrupted = Errno(4)
    static let inputOutput = Errno(5)
    static let formatError = Errno(8)
    static let again = Errno(11)
    static let noMemory = Errno(12)
    static let accessDenied = Errno(13)
    static let exists = Errno(17)
    static let notDirectory = Errno(20)
    static let isDirectory = Errno(21)
    static let invalid = Errno(22)
    static let brokenPipe = Errno(32)
    static let nameTooLong = Errno(36)
    static let notEmpty = Errno(39)
    static let loop = Errno(40)
    static let noData = Errno(61)
    static let notSupported = Errno(95)
    static let familyNotSupported = Errno(97)
    static let inProgress = Errno(115)

    /// What a person reads.
    var text: StaticString {
        switch number {
        case 1: "operation not permitted"
        case 2: "no such file or directory"
        case 5: "input/output error"
        case 7: "the argument list is too long"
        case 8: "the format of the program is unknown"
        case 12: "not enough memory"
        case 13: "permission denied"
        case 16: "device or resource busy"
        case 17: "the file exists"
        case 18: "a link cannot cross file systems"
        case 19: "no such device"
        case 20: "not a directory"
        case 21: "is a directory"
        case 22: "invalid argument"
        case 23, 24: "too many open files"
        case 26: "the program is being written to"
        case 27: "the file is too large"
        case 28: "no space left on the file system"
        case 30: "the file system is read-only"
        case 36: "the name is too long"
        case 39: "the directory is not empty"
        case 40: "too many symbolic links"
        case 95: "operation not supported"
        case 97: "the address family is not supported"
        case 98: "the address is in use"
        case 101: "the network is not reachable"
        case 104: "the connection was reset"
        case 110: "the connection timed out"
        case 111: "the connection was refused"
        case 113: "the host is not reachable"
        case 122: "the disk quota is exceeded"
        default: "the system call failed"
        }
    }
}

/// Makes a system call; the result is the kernel's, a negative errno included.
@inline(__always)
func system(
    _ number: Int, _ a: Int = 0, _ b: Int = 0, _ c: Int = 0, _ d: Int = 0, _ e: Int = 0, _ f: Int = 0
) -> Int {
    aerie_call(number, a, b, c, d, e, f)
}

/// The result of a system call that has not failed.
@discardableResult
func checked(_ result: Int) throws(Errno) -> Int {
    guard result < 0 && result > -4096 else { return result }
    throw Errno(Int32(-result))
}

extension Int {
    /// A pointer as a system call's argument. The pointer's memory must live until the call returns.
    init(_ pointer: UnsafePointer<UInt8>) { self.init(bitPattern: pointer) }
}
