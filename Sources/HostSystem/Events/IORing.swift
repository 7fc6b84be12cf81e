internal import CLinux
internal import Glibc

/// File I/O that the kernel does on its own while the caller goes on (io_uring(7)): many operations in flight, submitted and
/// collected by one thread.
package struct IORing: ~Copyable {
    package enum Operation {
        case read(UnsafeMutableRawBufferPointer)
        case write(UnsafeMutableRawBufferPointer)
        /// The address of iovecs, which stay in place until the next `submit`, and their number.
        case readVectors(UnsafeRawPointer, count: Int)
        case writeVectors(UnsafeRawPointer, count: Int)
        /// fdatasync(2).
        case synchronize
        /// Cancels the operation with this identifier, if it can still be cancelled.
        case cancel(UInt64)
    }

    /// A finished operation.
    package struct Completion {
        package let identifier: UInt64
        /// The result of the operation's system call, or a negated `errno` value.
        package let result: Int32
    }

    private static let collectedAtOnce = 64

    private let ring: OpaquePointer

    /// A ring with room for `entries` operations between two submissions (a power of 2), and for twice as many in flight.
    ///
    /// - Throws: ENOSYS or EPERM where the kernel or a filter refuses io_uring, or where the kernel's is too old (before 5.6).
    package init(entries: Int) throws(SystemError) {
        guard let ring = aerie_ring_create(UInt32(entries)) else { throw .last("io_uring_setup") }
        self.ring = ring
    }

    deinit { aerie_ring_destroy(ring) }

    /// A descriptor that is readable while finished operations wait for `collect`.
    package var rawValue: Int32 { aerie_ring_descriptor(ring) }

    /// Prepares an operation for the next `submit`. The memory that it names stays in place until the operation has finished.
    ///
    /// - Returns: false when there is no room for it before the next `submit`.
    package borrowing func prepare(
        _ operation: Operation, on descriptor: Int32, at offset: UInt64, identifier: UInt64
    ) -> Bool {
        let ring = self.ring
        func prepare(_ code: Int, _ offset: UInt64, _ address: UnsafeRawPointer?, _ length: Int) -> Bool {
            aerie_ring_prepare(ring, Int32(code), descriptor, offset, address, UInt32(clamping: length), identifier)
        }
        return switch operation {
        case .read(let buffer): prepare(AERIE_RING_READ, offset, buffer.baseAddress, buffer.count)
        case .write(let buffer): prepare(AERIE_RING_WRITE, offset, buffer.baseAddress, buffer.count)
        case .readVectors(let vectors, let count): prepare(AERIE_RING_READV, offset, vectors, count)
        case .writeVectors(let vectors, let count): prepare(AERIE_RING_WRITEV, offset, vectors, count)
        case .synchronize: prepare(AERIE_RING_FDATASYNC, 0, nil, 0)
        case .cancel(let other): prepare(AERIE_RING_CANCEL, other, nil, 0)
        }
    }

    /// Hands what was prepared to the kernel; what can be done without waiting has finished when this returns.
    ///
    /// - Returns: false when the kernel has not taken everything; call it again when operations have finished.
    package borrowing func submit() -> Bool { aerie_ring_submit(ring) == 0 }

    /// Passes the operations that have finished to `body`.
    ///
    /// - Returns: how many there were.
    package borrowing func collect(_ body: (Completion) -> Void) -> Int {
        let ring = self.ring
        return withUnsafeTemporaryAllocation(of: aerie_completion.self, capacity: Self.collectedAtOnce) { found in
            var total = 0
            while true {
                let count = Int(aerie_ring_collect(ring, found.baseAddress, UInt32(Self.collectedAtOnce)))
                for item in found[..<count] { body(Completion(identifier: item.identifier, result: item.result)) }
                total += count
                if count < Self.collectedAtOnce { return total }
            }
        }
    }
}
