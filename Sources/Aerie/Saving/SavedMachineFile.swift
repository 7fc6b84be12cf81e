internal import HostSystem
internal import SavedState

// A saved machine is a file, little endian:
//
//     offset  size  field
//          0     8  magic "AERIEVM\n"
//          8     4  format version, 2
//         12     4  0
//         16     8  length of the state in bytes
//         24     n  the state: an encoded SavedRecord, which has a checksum of its own
//        then       the contents of memory, and of each copy-on-write disk in the order of the configuration
//
// Contents are runs, ascending by their offset:
//
//          0     8  offset in the contents, a multiple of 4096
//          8     8  length in bytes, a multiple of 4096
//         16     4  kind: 0 data | 1 zeroes, without data | 2 the end: the offset is the contents' size, the length 0
//         20     4  CRC-32C of the 20 bytes before and of the data
//         24     n  the data, at most 1 MiB
//
// What no run covers is zero in memory, and as in the base on a disk.

/// Writes and reads saved machines, a piece at a time.
enum SavedMachineFile {
    static let pageSize: UInt64 = 4096
    private static let magic = Array("AERIEVM\n".utf8)
    private static let version: UInt32 = 2
    /// The state of processors and devices: some kilobytes each, flash and queues more.
    private static let stateLimit: UInt64 = 256 << 20
    /// Bytes of data in a run, at most; and what is read at once.
    private static let runLimit: UInt64 = 1 << 20
    private static let headerSize = 24

    private enum Kind: UInt32 {
        case data, zeroes, end
    }

    // MARK: Writing

    static func write(
        _ state: SavedRecord, contents: [any SavedContents], to file: borrowing FileDescriptor
    ) throws(SavedMachineError) {
        let encoded = state.encoded()
        try append(
            magic + LittleEndian.bytes(version) + LittleEndian.bytes(UInt32(0))
                + LittleEndian.bytes(UInt64(encoded.count)) + encoded, to: file)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(runLimit), alignment: 4096)
        defer { buffer.deallocate() }
        for part in contents { try write(part, through: buffer, to: file) }
    }

    private static func write(
        _ contents: any SavedContents, through buffer: UnsafeMutableRawBufferPointer, to file: borrowing FileDescriptor
    ) throws(SavedMachineError) {
        var position: UInt64 = 0
        while let (range, isHole) = try contents.next(from: position) {
            position = range.upperBound
            if isHole {
                try writeZeroes(range, of: contents, to: file)
                continue
            }
            var start = range.lowerBound
            while start < range.upperBound {
                let count = Int(min(range.upperBound - start, runLimit))
                let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
                try contents.read(at: start, into: piece)
                try write(piece, at: start, of: contents, to: file)
                start += UInt64(count)
            }
        }
        try writeRun(.end, at: contents.size, count: 0, to: file)
    }

    /// Writes the pages of `piece` as runs of data and of zeroes.
    private static func write(
        _ piece: UnsafeMutableRawBufferPointer, at offset: UInt64, of contents: any SavedContents,
        to file: borrowing FileDescriptor
    ) throws(SavedMachineError) {
        let pages = piece.count / Int(pageSize)
        var first = 0
        while first < pages {
            let isZero = page(first, of: piece).isZero
            var end = first + 1
            while end < pages, page(end, of: piece).isZero == isZero { end += 1 }
            let range = offset + UInt64(first) * pageSize..<offset + UInt64(end) * pageSize
            if isZero {
                try writeZeroes(range, of: contents, to: file)
            } else {
                let data = UnsafeRawBufferPointer(rebasing: piece[first * Int(pageSize)..<end * Int(pageSize)])
                try writeRun(.data, at: range.lowerBound, count: UInt64(data.count), data, to: file)
            }
            first = end
        }
    }

    private static func page(_ number: Int, of piece: UnsafeMutableRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: piece[number * Int(pageSize)..<(number + 1) * Int(pageSize)])
    }

    private static func writeZeroes(
        _ range: Range<UInt64>, of contents: any SavedContents, to file: borrowing FileDescriptor
    ) throws(SavedMachineError) {
        guard contents.tellsZeroes else { return }
        try writeRun(.zeroes, at: range.lowerBound, count: range.upperBound - range.lowerBound, to: file)
    }

    private static func writeRun(
        _ kind: Kind, at offset: UInt64, count: UInt64, _ data: UnsafeRawBufferPointer = .init(start: nil, count: 0),
        to file: borrowing FileDescriptor
    ) throws(SavedMachineError) {
        let fields = LittleEndian.bytes(offset) + LittleEndian.bytes(count) + LittleEndian.bytes(kind.rawValue)
        try append(fields + LittleEndian.bytes(CRC32C.checksum(of: fields, data)), to: file)
        do { try file.writeAll(data) } catch { throw .system(error) }
    }

    private static func append(_ bytes: [UInt8], to file: borrowing FileDescriptor) throws(SavedMachineError) {
        do { try file.writeAll(bytes) } catch { throw .system(error) }
    }

    // MARK: Reading

    /// Reads the state, and leaves `file` at the contents that belong to it.
    static func readState(from file: borrowing FileDescriptor) throws(SavedMachineError) -> SavedRecord {
        let head = try read(headerSize, from: file)
        guard head.starts(with: magic) else { throw .state(.notAState) }
        let found: UInt32 = LittleEndian.integer(head, at: 8)
        guard found == version else { throw .state(.unknownFormat(found)) }
        let length: UInt64 = LittleEndian.integer(head, at: 16)
        guard length <= stateLimit else { throw .state(.tooLarge(bytes: length, limit: stateLimit)) }
        let encoded = try read(Int(length), from: file)
        do {
            return try SavedRecord(encoded: encoded, limit: stateLimit)
        } catch {
            throw .state(error)
        }
    }

    /// Reads everything after the state into the fresh parts of a machine.
    static func readContents(
        _ contents: [any SavedContents], from file: borrowing FileDescriptor
    ) throws(SavedMachineError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(runLimit), alignment: 4096)
        defer { buffer.deallocate() }
        for part in contents {
            var position: UInt64 = 0
            while let end = try readRun(of: part, after: position, through: buffer, from: file) { position = end }
        }
    }

    /// Reads one run; nil when it was the last one, otherwise where it ends.
    private static func readRun(
        of contents: any SavedContents, after position: UInt64, through buffer: UnsafeMutableRawBufferPointer,
        from file: borrowing FileDescriptor
    ) throws(SavedMachineError) -> UInt64? {
        let head = try read(headerSize, from: file)
        let offset: UInt64 = LittleEndian.integer(head, at: 0)
        let count: UInt64 = LittleEndian.integer(head, at: 8)
        guard let kind = Kind(rawValue: LittleEndian.integer(head, at: 16)), offset >= position,
            offset <= contents.size,
            count <= contents.size - offset, offset % pageSize == 0, count % pageSize == 0,
            kind != .data || count <= runLimit
        else { throw .state(.damaged) }
        let data = UnsafeMutableRawBufferPointer(rebasing: buffer[..<(kind == .data ? Int(count) : 0)])
        try read(into: data, from: file)
        let expected: UInt32 = LittleEndian.integer(head, at: 20)
        guard CRC32C.checksum(of: Array(head[..<20]), UnsafeRawBufferPointer(data)) == expected else {
            throw .state(.damaged)
        }
        switch kind {
        case .end:
            guard offset == contents.size, count == 0 else { throw .state(.damaged) }
            return nil
        case .zeroes: try contents.restoreZeroes(at: offset, count: count)
        case .data: try contents.restore(at: offset, from: data)
        }
        return offset + count
    }

    private static func read(_ count: Int, from file: borrowing FileDescriptor) throws(SavedMachineError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var failure: SavedMachineError?
        bytes.withUnsafeMutableBytes { buffer in
            do throws(SavedMachineError) { try read(into: buffer, from: file) } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    private static func read(
        into buffer: UnsafeMutableRawBufferPointer, from file: borrowing FileDescriptor
    ) throws(SavedMachineError) {
        var done = 0
        while done < buffer.count {
            let count: Int
            do {
                count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]))
            } catch {
                throw .system(error)
            }
            guard count > 0 else { throw .state(.truncated) }
            done += count
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether all bytes are zero, of an aligned range of whole words.
    var isZero: Bool { bindMemory(to: UInt64.self).allSatisfy { $0 == 0 } }
}
