package import GuestMemory
internal import Glibc

/// Scattered guest memory that is read or written as one run of bytes, because a driver may cut a request into
/// descriptors as it likes (VIRTIO 1.2, section 2.7.4).
package struct GuestBuffers: Sendable {
    /// A piece that was found to lie in one range of the guest's memory.
    package struct Segment: Equatable, Sendable {
        package let address: UInt64
        package let count: Int
    }

    /// None is empty.
    package private(set) var segments: [Segment] = []
    /// All together, in bytes.
    package private(set) var count = 0

    package init() {}

    mutating func append(_ segment: Segment) {
        segments.append(segment)
        count += segment.count
    }

    /// Calls `body` with the host's addresses of `length` bytes from byte `start` on, piece by piece.
    ///
    /// Whoever writes there, now or later, calls `markModified` afterwards.
    ///
    /// - Returns: how many bytes were there, which is less than `length` at the end.
    @discardableResult
    package func forEach(
        from start: Int = 0, count length: Int, in memory: GuestMemory, _ body: (UnsafeMutableRawBufferPointer) -> Void
    ) -> Int {
        var skip = start
        var done = 0
        for segment in segments where done < length {
            if skip >= segment.count {
                skip -= segment.count
                continue
            }
            let part = min(segment.count - skip, length - done)
            // Found in range when the segment was made, and the guest's memory map does not change.
            guard let address = memory.hostAddress(of: segment.address + UInt64(skip), count: UInt64(part)) else {
                break
            }
            let piece = UnsafeMutableRawBufferPointer(start: address, count: part)
            memory.waitForPages(of: piece)
            body(piece)
            done += part
            skip = 0
        }
        return done
    }

    /// Marks `length` bytes from byte `start` on as modified. Call after the write, and before the driver is told of it.
    package func markModified(from start: Int = 0, count length: Int, in memory: GuestMemory) {
        forEach(from: start, count: length, in: memory) { memory.noteWrite($0) }
    }

    /// A copy of up to `length` bytes from byte `start` on. The caller bounds `length`.
    package func bytes(from start: Int = 0, count length: Int, in memory: GuestMemory) -> [UInt8] {
        let available = max(0, min(length, count - start))
        return [UInt8](unsafeUninitializedCapacity: available) { buffer, initialized in
            let target = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<available])
            initialized = copy(from: start, into: target, in: memory)
        }
    }

    /// Copies up to `target.count` bytes from byte `start` on into `target`.
    ///
    /// - Returns: how many were there.
    @discardableResult
    package func copy(
        from start: Int = 0, into target: UnsafeMutableRawBufferPointer, in memory: GuestMemory
    ) -> Int {
        var rest = target[...]
        return forEach(from: start, count: target.count, in: memory) { source in
            UnsafeMutableRawBufferPointer(rebasing: rest).copyMemory(from: UnsafeRawBufferPointer(source))
            rest = rest.dropFirst(source.count)
        }
    }

    /// Copies `bytes` to byte `start` and on, as far as they fit.
    ///
    /// - Returns: how many did.
    @discardableResult
    package func write(_ bytes: [UInt8], from start: Int = 0, in memory: GuestMemory) -> Int {
        bytes.withUnsafeBytes { write($0, from: start, in: memory) }
    }

    /// Copies `bytes` to byte `start` and on, as far as they fit.
    ///
    /// - Returns: how many did.
    @discardableResult
    package func write(_ bytes: UnsafeRawBufferPointer, from start: Int = 0, in memory: GuestMemory) -> Int {
        var rest = bytes[...]
        return forEach(from: start, count: bytes.count, in: memory) { target in
            target.copyMemory(from: UnsafeRawBufferPointer(rebasing: rest.prefix(target.count)))
            memory.noteWrite(target)
            rest = rest.dropFirst(target.count)
        }
    }
}
