/// A request of a guest to its disk. Offset and count are in bytes.
package struct DiskRequest: Sendable {
    package enum Operation: Equatable, Sendable {
        case read
        case write
        case flush
        case discard
        case writeZeroes(mayUnmap: Bool)
    }

    package let operation: Operation
    package let offset: UInt64
    package let count: UInt64
    /// The memory to fill or to take, `count` bytes; empty for other operations.
    package let buffers: IOBuffers

    package static func read(at offset: UInt64, into buffers: IOBuffers) -> DiskRequest {
        DiskRequest(operation: .read, offset: offset, count: UInt64(buffers.count), buffers: buffers)
    }

    package static func write(at offset: UInt64, from buffers: IOBuffers) -> DiskRequest {
        DiskRequest(operation: .write, offset: offset, count: UInt64(buffers.count), buffers: buffers)
    }

    package static let flush = DiskRequest(operation: .flush, offset: 0, count: 0, buffers: IOBuffers())

    package static func discard(at offset: UInt64, count: UInt64) -> DiskRequest {
        DiskRequest(operation: .discard, offset: offset, count: count, buffers: IOBuffers())
    }

    package static func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) -> DiskRequest {
        DiskRequest(
            operation: .writeZeroes(mayUnmap: mayUnmap), offset: offset, count: count, buffers: IOBuffers())
    }
}

/// Takes the result of a request: nil for success. It runs on the event loop, never inside of the call that submitted it.
package typealias DiskCompletion = @Sendable (DiskImageError?) -> Void
