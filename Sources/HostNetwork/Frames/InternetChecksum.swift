/// The checksum of the Internet protocols: the ones' complement of the ones' complement sum of 16-bit words (RFC 1071).
package enum InternetChecksum {
    /// The sum of the bytes as big-endian words, folded to 16 bits and not complemented; an odd last byte counts as a word's first.
    package static func sum(_ bytes: UnsafeRawBufferPointer) -> UInt16 {
        // The sum does not depend on the byte order (section 2 B), so words of the host are added, two at a time. 2^32 of them would be
        // needed to overflow.
        var total: UInt64 = 0
        var offset = 0
        while offset + 4 <= bytes.count {
            total &+= UInt64(bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            offset += 4
        }
        if offset + 2 <= bytes.count {
            total &+= UInt64(bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
            offset += 2
        }
        if offset < bytes.count { total &+= UInt64(UInt16(littleEndian: UInt16(bytes[offset]))) }
        while total >> 16 != 0 { total = total & 0xFFFF &+ total >> 16 }
        return UInt16(bigEndian: UInt16(total))
    }

    /// Finishes the partial checksum that a frame's header names: the sum from `checksumStart` to the frame's end, with what stands at
    /// the checksum's place as the pseudo header's share, is complemented and put there.
    ///
    /// - Returns: false if the place lies outside of the frame, which then is unchanged.
    package static func complete(_ header: OffloadHeader, in frame: UnsafeMutableRawBufferPointer) -> Bool {
        let start = Int(header.checksumStart)
        let place = start + Int(header.checksumOffset)
        guard place + 2 <= frame.count else { return false }
        let value = ~sum(UnsafeRawBufferPointer(rebasing: frame[start...]))
        // A UDP checksum of 0 would say that there is none (RFC 768); for others both zeroes mean the same.
        frame.storeBytes(of: (value == 0 ? 0xFFFF : value).bigEndian, toByteOffset: place, as: UInt16.self)
        return true
    }
}
