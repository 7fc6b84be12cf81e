/// What `TarReader` finds, in the order of the archive.
package enum TarEvent: Equatable {
    case member(TarMember)
    /// Bytes of the file at an offset. What no such event covers is a hole.
    case data(offset: UInt64, [UInt8])
    /// The member is complete.
    case memberEnd
    case archiveEnd
}

/// Reads a tar archive from a stream, whatever pieces it comes in: ustar with pax and GNU extensions.
///
/// Reading is total: any bytes give events or a fault, and the reader keeps at most a piece, 64 KB of extended headers and
/// a sparse file's map of 65,536 segments.
package struct TarReader {
    enum State {
        case header
        /// An extended header: its type and how many bytes it has.
        case extended(type: UInt8, size: Int)
        /// GNU's further segments of a sparse file.
        case oldSparse(TarMember, stored: UInt64)
        /// The map in front of a sparse file's data.
        case sparseMap(TarMember, stored: UInt64)
        case data
        case ended
    }

    var state = State.header
    var bytes: [UInt8] = []
    var position = 0
    private var extended = TarExtended()
    private var zeroBlocks = 0
    /// Bytes of the archive that the present member still has, without padding.
    var stored: UInt64 = 0
    var padding = 0
    /// The present file's segments; the first one that is not done is at `segment`.
    var segments: [TarSegment] = []
    var segment = 0
    var segmentDone: UInt64 = 0
    /// Zeros behind the present member's data.
    var paddingBehind = 0
    var map = TarSparseMap()

    static let mostSegments = 65_536
    static let largestPiece = 65_536

    package init() {}

    /// Takes bytes of the archive. Call `next` until it returns nil before the next piece.
    package mutating func append(_ piece: UnsafeRawBufferPointer) {
        if position == bytes.count {
            bytes.removeAll(keepingCapacity: true)
            position = 0
        } else if position >= Self.largestPiece {
            bytes.removeFirst(position)
            position = 0
        }
        if case .ended = state { return }
        bytes.append(contentsOf: piece)
    }

    package mutating func append(_ piece: [UInt8]) { piece.withUnsafeBytes { append($0) } }

    /// Ends the stream. An archive may lack its final blocks, but not a part of a member.
    package func finish() throws(TarFault) {
        switch state {
        case .ended: return
        case .header where position == bytes.count && padding == 0: return
        default: throw TarFault.truncated
        }
    }

    var waiting: Int { bytes.count - position }

    mutating func take(_ count: Int) -> [UInt8] {
        defer { position += count }
        return Array(bytes[position..<(position + count)])
    }

    /// The next event, or nil if more bytes must come first.
    package mutating func next() throws(TarFault) -> TarEvent? {
        while true {
            if padding > 0 {
                let count = min(padding, waiting)
                position += count
                padding -= count
                if padding > 0 { return nil }
            }
            switch state {
            case .ended: return nil
            case .header:
                guard waiting >= TarHeader.size else { return nil }
                if let event = try takeHeader() { return event }
                if case .ended = state { return .archiveEnd }
            case .extended(let type, let size):
                guard waiting >= size else { return nil }
                try takeExtended(type, take(size))
                state = .header
            case .oldSparse(let member, let stored):
                guard waiting >= TarHeader.size else { return nil }
                if try takeOldSegments(TarHeader(bytes: take(TarHeader.size)), 0, 21, more: 504) { continue }
                return try begin(member, stored: stored, segments)
            case .sparseMap(let member, let stored):
                guard let size = try takeSparseMap(stored) else { return nil }
                return try begin(member, stored: stored - size, segments)
            case .data: return takeData()
            }
        }
    }

    // MARK: Headers

    private mutating func takeHeader() throws(TarFault) -> TarEvent? {
        let header = TarHeader(bytes: take(TarHeader.size))
        if header.isZero {
            zeroBlocks += 1
            guard zeroBlocks == 2 else { return nil }
            state = .ended
            bytes = []
            position = 0
            return nil
        }
        zeroBlocks = 0
        try header.checkSum()
        let size = try header.number(124, 12)
        switch header.type {
        case UInt8(ascii: "x"), UInt8(ascii: "g"), UInt8(ascii: "L"), UInt8(ascii: "K"):
            guard size <= TarExtended.largest else { throw TarFault.extendedHeaderSize }
            state = .extended(type: header.type, size: Int(size))
            return nil
        default: return try takeMember(header, extended.size ?? size)
        }
    }

    private mutating func takeExtended(_ type: UInt8, _ content: [UInt8]) throws(TarFault) {
        padding = Self.padding(UInt64(content.count))
        let text = Array(content[..<(content.firstIndex(of: 0) ?? content.count)])
        switch type {
        case UInt8(ascii: "x"): try extended.take(records: content)
        case UInt8(ascii: "L"): extended.path = text
        case UInt8(ascii: "K"): extended.linkTarget = text
        default: break  // Global headers are comments in practice.
        }
    }

    private mutating func takeMember(_ header: TarHeader, _ stored: UInt64) throws(TarFault) -> TarEvent? {
        let known = extended
        extended = TarExtended()
        var member = TarMember(
            path: known.path ?? header.name, kind: try Self.kind(header, known),
            mode: UInt32(try header.number(100, 8) & 0o7777))
        guard !member.path.isEmpty else { throw TarFault.path }
        // A name that ends in a slash is a directory's in archives older than ustar.
        if member.kind == .file, member.path.last == UInt8(ascii: "/") { member.kind = .directory }
        let (owner, group) = (try header.number(108, 8), try header.number(116, 8))
        let seconds = try header.signed(136, 12)
        member.owner = if let number = known.owner { number } else { try Self.identifier(owner) }
        member.group = if let number = known.group { number } else { try Self.identifier(group) }
        member.modified = known.modified ?? Self.nanoseconds(seconds)
        segments = []
        guard member.kind == .file else {
            // Hard links of some archives state their file's size, and have no data all the same.
            return try begin(member, stored: Self.hasData(header.type) ? stored : 0, [])
        }
        if header.type == UInt8(ascii: "S") {
            member.size = try header.number(483, 12)
            if try takeOldSegments(header, 386, 4, more: 482) {
                state = .oldSparse(member, stored: stored)
                return nil
            }
            return try begin(member, stored: stored, segments)
        }
        if known.isSparse {
            guard let size = known.realSize else { throw TarFault.sparseMap }
            member.size = size
            map = TarSparseMap()
            state = .sparseMap(member, stored: stored)
            return nil
        }
        member.size = stored
        return try begin(member, stored: stored, stored > 0 ? [TarSegment(offset: 0, size: stored)] : [])
    }

    private static func identifier(_ number: UInt64) throws(TarFault) -> UInt32 {
        guard number <= UInt64(UInt32.max) else { throw TarFault.number }
        return UInt32(number)
    }

    private static func nanoseconds(_ seconds: Int64) -> Int64 {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? (seconds < 0 ? Int64.min : Int64.max) : product
    }

    private static func hasData(_ type: UInt8) -> Bool { !(UInt8(ascii: "1")...UInt8(ascii: "6") ~= type) }

    private static func kind(_ header: TarHeader, _ known: TarExtended) throws(TarFault) -> TarMember.Kind {
        func target() throws(TarFault) -> [UInt8] {
            let target = known.linkTarget ?? header.text(157, 100)
            guard !target.isEmpty else { throw TarFault.path }
            return target
        }
        func device() throws(TarFault) -> (UInt32, UInt32) {
            (try identifier(header.number(329, 8)), try identifier(header.number(337, 8)))
        }
        switch header.type {
        case 0, UInt8(ascii: "0"), UInt8(ascii: "7"), UInt8(ascii: "S"): return .file
        case UInt8(ascii: "1"): return .hardLink(target: try target())
        case UInt8(ascii: "2"): return .symbolicLink(target: try target())
        case UInt8(ascii: "3"):
            let (major, minor) = try device()
            return .characterDevice(major: major, minor: minor)
        case UInt8(ascii: "4"):
            let (major, minor) = try device()
            return .blockDevice(major: major, minor: minor)
        case UInt8(ascii: "5"): return .directory
        case UInt8(ascii: "6"): return .fifo
        default: throw TarFault.type(header.type)
        }
    }
}
