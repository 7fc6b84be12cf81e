internal import CLinux
internal import Glibc
internal import HostSystem

// IOV_MAX of Linux, which Swift does not import.
private let maximumVectors = 1024

/// What is left to do of a read, a write or a flush of a file, which the host may do in several steps.
struct FileTransfer {
    enum Kind: Equatable {
        /// Behind the end of a file with at least `present` bytes, zeroes are read.
        case read(present: UInt64)
        case write
        case synchronize
    }

    /// What a step leads to.
    enum Next: Equatable {
        case finished(DiskImageError?)
        case again
        /// Only a thread that may block can do the rest.
        case blocking
    }

    /// What came of an attempt that must not wait.
    enum Attempt {
        case finished
        /// Something is left, or an error is to be met again by a way that may wait.
        case unfinished
        /// The file has no transfers that do not wait.
        case impossible
    }

    let kind: Kind
    let descriptor: Int32
    private(set) var position: UInt64
    private(set) var rest: IOBuffers

    init(_ kind: Kind, _ file: borrowing FileDescriptor, at position: UInt64 = 0, _ buffers: IOBuffers = IOBuffers()) {
        self.kind = kind
        descriptor = file.rawValue
        self.position = position
        rest = buffers
    }

    /// The vectors that a step takes.
    var vectors: ArraySlice<iovec> { rest.vectors.prefix(maximumVectors) }

    /// Takes over the result of a step: a number of bytes, or a negated `errno` value.
    mutating func advance(by result: Int) -> Next {
        if result < 0 {
            switch Int32(-result) {
            case EINTR: return .again
            // The ring's ways to say that it will not do it.
            case EAGAIN, ECANCELED: return .blocking
            case let code: return .finished(.system(SystemError(name, code: code)))
            }
        }
        if kind == .synchronize || rest.count == 0 { return .finished(nil) }
        guard result > 0 else {
            guard case .read(let present) = kind, position >= present else {
                return .finished(.truncated(at: position))
            }
            rest.clear()
            return .finished(nil)
        }
        position += UInt64(result)
        rest = rest.slice(from: result, count: rest.count - result)
        return rest.count == 0 ? .finished(nil) : .again
    }

    private var name: String {
        switch kind {
        case .read: "preadv"
        case .write: "pwritev"
        case .synchronize: "fdatasync"
        }
    }

    /// Does what the host can do without waiting, on the calling thread.
    mutating func tryAtOnce() -> Attempt {
        guard kind != .synchronize else { return .impossible }
        let result = Array(vectors).withUnsafeBufferPointer { vectors in
            kind == .write
                ? aerie_write_at_once(descriptor, vectors.baseAddress, Int32(vectors.count), Int64(position))
                : aerie_read_at_once(descriptor, vectors.baseAddress, Int32(vectors.count), Int64(position))
        }
        guard result >= 0 else { return errno == EOPNOTSUPP ? .impossible : .unfinished }
        return if case .finished(nil) = advance(by: Int(result)) { .finished } else { .unfinished }
    }

    /// Does the rest on the calling thread.
    ///
    /// - Parameter isCancelled: asked between two steps.
    mutating func run(isCancelled: () -> Bool = { false }) -> DiskImageError? {
        while true {
            let result = Array(vectors).withUnsafeBufferPointer { vectors in
                switch kind {
                case .read: preadv(descriptor, vectors.baseAddress, Int32(vectors.count), off_t(position))
                case .write: pwritev(descriptor, vectors.baseAddress, Int32(vectors.count), off_t(position))
                case .synchronize: Int(fdatasync(descriptor))
                }
            }
            switch advance(by: result < 0 ? -Int(errno) : result) {
            case .finished(let error): return error
            case .again: if isCancelled() { return .cancelled }
            // A file whose calls do not wait: this thread has to try until it succeeds.
            case .blocking: if isCancelled() { return .cancelled } else { yieldProcessor() }
            }
        }
    }
}
