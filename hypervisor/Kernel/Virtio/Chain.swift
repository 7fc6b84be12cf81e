import Support

/// A descriptor chain of a guest, as the device sees it: where its bytes are in the board's memory. Every address has been found
/// in the guest's own chunks; a buffer that crosses a border of 2 MiB has two parts.
struct Chain {
    /// Descriptors of a chain, and parts: more is an error of the driver.
    static let mostDescriptors = 32
    static let mostParts = 64

    struct Part {
        var address: UInt64 = 0
        var length: UInt32 = 0
    }

    private(set) var head: UInt16 = 0
    /// Parts that the device reads, then parts that it writes.
    private(set) var count = 0
    private(set) var readCount = 0
    private(set) var readBytes: UInt64 = 0
    private(set) var writeBytes: UInt64 = 0
    var parts = InlineArray<64, Part>(repeating: Part())

    mutating func begin(_ head: UInt16) {
        self.head = head
        (count, readCount, readBytes, writeBytes) = (0, 0, 0, 0)
    }

    /// Adds a buffer. False: a part of it is no memory of the guest, it follows one that the device writes, or is too large.
    mutating func append(_ guestAddress: UInt64, _ length: UInt32, isWritten: Bool, _ tables: GuestTables) -> Bool {
        guard isWritten || count == readCount else { return false }
        var done: UInt64 = 0
        while done < UInt64(length) {
            guard count < Self.mostParts, let place = tables.translate(guestAddress &+ done) else { return false }
            let part = min(place.length, UInt64(length) - done)
            parts[count] = Part(address: place.address, length: UInt32(part))
            count += 1
            done += part
        }
        if isWritten { writeBytes += done } else { (readCount, readBytes) = (count, readBytes + done) }
        return true
    }

    /// Removes `size` bytes from the front of what the device reads.
    mutating func dropFirst(_ size: UInt64) {
        var rest = size
        var removed = 0
        while removed < readCount, rest >= UInt64(parts[removed].length) {
            rest -= UInt64(parts[removed].length)
            removed += 1
        }
        if rest > 0, removed < readCount {
            parts[removed].address += rest
            parts[removed].length -= UInt32(rest)
        }
        for index in removed..<max(count, removed) { parts[index - removed] = parts[index] }
        (count, readCount, readBytes) = (count - removed, readCount - removed, readBytes - size)
    }

    /// Removes the last byte of what the device writes, and returns its place. There must be one.
    mutating func removeLast() -> UInt64 {
        parts[count - 1].length -= 1
        writeBytes -= 1
        let place = parts[count - 1].address + UInt64(parts[count - 1].length)
        if parts[count - 1].length == 0 { count -= 1 }
        return place
    }
}

// Of the pointer, because a call on the structure itself would copy all of its parts first.
extension UnsafeMutablePointer where Pointee == Chain {
    /// Copies the bytes that the device reads, from byte `start` on, `size` at most; the number of bytes.
    func gather(from start: UInt64, to target: UInt64, _ size: UInt64) -> UInt64 {
        var skip = start
        var done: UInt64 = 0
        for index in 0..<pointee.readCount {
            let length = UInt64(pointee.parts[index].length)
            if skip >= length {
                skip -= length
                continue
            }
            let part = min(length - skip, size - done)
            copy(to: target + done, from: pointee.parts[index].address + skip, part)
            (done, skip) = (done + part, 0)
            if done == size { break }
        }
        return done
    }

    /// Copies into the bytes that the device writes, from the first one on. The caller has compared `size` and `writeBytes`.
    func scatter(from source: UInt64, _ size: UInt64) {
        var done: UInt64 = 0
        for index in pointee.readCount..<pointee.count where done < size {
            let part = min(UInt64(pointee.parts[index].length), size - done)
            copy(to: pointee.parts[index].address, from: source + done, part)
            done += part
        }
    }
}

/// Copies bytes of the board's memory.
func copy(to target: UInt64, from source: UInt64, _ size: UInt64) {
    guard size > 0 else { return }
    let bytes: UnsafeMutablePointer<UInt8> = pointer(target)
    let from: UnsafeMutablePointer<UInt8> = pointer(source)
    UnsafeMutableRawPointer(bytes).copyMemory(from: UnsafeRawPointer(from), byteCount: Int(size))
}
