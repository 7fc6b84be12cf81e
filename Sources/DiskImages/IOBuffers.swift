package import Glibc

/// Scattered memory that one read or write fills or takes, in order.
///
/// It refers to memory that its maker keeps alive, and that may be shared with a running guest.
package struct IOBuffers: @unchecked Sendable {
    // @unchecked: the vectors are addresses; whoever uses the memory behind them answers for who else does.

    /// None is empty.
    package private(set) var vectors: [iovec] = []
    /// All together, in bytes.
    package private(set) var count = 0

    package init() {}

    package init(_ buffer: UnsafeMutableRawBufferPointer) {
        append(buffer)
    }

    package mutating func append(_ buffer: UnsafeMutableRawBufferPointer) {
        guard !buffer.isEmpty else { return }
        vectors.append(iovec(iov_base: buffer.baseAddress, iov_len: buffer.count))
        count += buffer.count
    }

    /// The `length` bytes from byte `start` on.
    package func slice(from start: Int, count length: Int) -> IOBuffers {
        precondition(start >= 0 && length >= 0 && start + length <= count, "a slice lies within its buffers")
        if start == 0 && length == count { return self }
        var result = IOBuffers()
        var skip = start
        for vector in vectors where result.count < length {
            if skip >= vector.iov_len {
                skip -= vector.iov_len
                continue
            }
            let part = min(vector.iov_len - skip, length - result.count)
            result.append(UnsafeMutableRawBufferPointer(start: vector.iov_base + skip, count: part))
            skip = 0
        }
        return result
    }

    /// Copies all of `bytes`, which are as many.
    package func fill(from bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == count, "bytes fill their buffers")
        var position = 0
        for vector in vectors {
            memcpy(vector.iov_base, bytes.baseAddress! + position, vector.iov_len)
            position += vector.iov_len
        }
    }

    /// Copies everything to `bytes`, which are as many.
    package func copy(to bytes: UnsafeMutableRawBufferPointer) {
        precondition(bytes.count == count, "bytes fill their buffers")
        var position = 0
        for vector in vectors {
            memcpy(bytes.baseAddress! + position, vector.iov_base, vector.iov_len)
            position += vector.iov_len
        }
    }

    /// Adds the memory of other buffers behind this.
    package mutating func append(_ other: IOBuffers) {
        vectors += other.vectors
        count += other.count
    }

    /// Sets every byte to zero.
    package func clear() {
        for vector in vectors { memset(vector.iov_base, 0, vector.iov_len) }
    }
}
