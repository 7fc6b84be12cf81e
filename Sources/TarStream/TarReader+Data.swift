/// The maps of sparse files, and the data of all.
extension TarReader {
    /// The zeros that fill the last block of so many bytes.
    static func padding(_ size: UInt64) -> Int { Int((512 - size % 512) % 512) }

    /// Begins a member's data.
    mutating func begin(
        _ member: TarMember, stored: UInt64, _ segments: [TarSegment]
    ) throws(TarFault) -> TarEvent {
        var end: UInt64 = 0
        var sum: UInt64 = 0
        for segment in segments {
            let (next, overflow) = segment.offset.addingReportingOverflow(segment.size)
            guard segment.offset >= end, !overflow, next <= member.size else { throw TarFault.sparseMap }
            end = next
            sum += segment.size
        }
        guard member.kind != .file || sum == stored else { throw TarFault.sparseMap }
        self.segments = segments
        self.stored = stored
        segment = 0
        segmentDone = 0
        paddingBehind = Self.padding(stored)
        state = .data
        return .member(member)
    }

    /// The next bytes of the member, or its end; nil if more bytes must come first.
    mutating func takeData() -> TarEvent? {
        while segment < segments.count {
            let present = segments[segment]
            if segmentDone == present.size {
                segment += 1
                segmentDone = 0
                continue
            }
            guard waiting > 0 else { return nil }
            let count = Int(min(UInt64(min(waiting, Self.largestPiece)), present.size - segmentDone))
            let offset = present.offset + segmentDone
            segmentDone += UInt64(count)
            stored -= UInt64(count)
            return .data(offset: offset, take(count))
        }
        // Members that are no files have data only in damaged archives.
        let skipped = Int(min(UInt64(waiting), stored))
        position += skipped
        stored -= UInt64(skipped)
        guard stored == 0 else { return nil }
        segments = []
        padding = paddingBehind
        state = .header
        return .memberEnd
    }

    /// Takes segments in GNU's old format: `count` times offset and size, 12 bytes each. True if more of them follow.
    mutating func takeOldSegments(
        _ header: TarHeader, _ start: Int, _ count: Int, more: Int
    ) throws(TarFault) -> Bool {
        for index in 0..<count {
            // A segment without text is the last.
            guard header.bytes[start + 24 * index] != 0 else { break }
            let offset = try header.number(start + 24 * index, 12)
            try add(TarSegment(offset: offset, size: header.number(start + 24 * index + 12, 12)))
        }
        return header.bytes[more] != 0
    }

    private mutating func add(_ segment: TarSegment) throws(TarFault) {
        guard segments.count < Self.mostSegments else { throw TarFault.sparseSegments }
        if segment.size > 0 { segments.append(segment) }
    }

    /// Takes the map of GNU's sparse format 1.0: the number of segments, then offset and size of each, a line each, and
    /// zeros up to the block's end. Returns the map's size, or nil if more bytes must come first.
    mutating func takeSparseMap(_ stored: UInt64) throws(TarFault) -> UInt64? {
        while waiting > 0 {
            let byte = bytes[position]
            position += 1
            map.size += 1
            guard map.size <= stored else { throw TarFault.sparseMap }
            guard let number = try map.take(byte) else { continue }
            if map.left == nil {
                guard number <= UInt64(Self.mostSegments) else { throw TarFault.sparseSegments }
                map.left = number
            } else if let offset = map.offset {
                try add(TarSegment(offset: offset, size: number))
                map.offset = nil
                map.left = (map.left ?? 1) - 1
            } else {
                map.offset = number
            }
            guard map.left == 0 else { continue }
            padding = Self.padding(map.size)
            let whole = map.size + UInt64(padding)
            guard whole <= stored else { throw TarFault.sparseMap }
            return whole
        }
        return nil
    }
}

/// A sparse file's map while it is being read.
struct TarSparseMap {
    /// Bytes of the map that have been read.
    var size: UInt64 = 0
    /// Segments that are still to come; nil before their number is known.
    var left: UInt64?
    /// The offset of a segment whose size is to come.
    var offset: UInt64?
    private var digits: [UInt8] = []

    /// Takes a byte; returns a number at the end of its line.
    mutating func take(_ byte: UInt8) throws(TarFault) -> UInt64? {
        guard byte == 0x0a else {
            guard digits.count < 20 else { throw TarFault.sparseMap }
            digits.append(byte)
            return nil
        }
        guard let number = TarExtended.number(digits[...]) else { throw TarFault.sparseMap }
        digits.removeAll(keepingCapacity: true)
        return number
    }
}
