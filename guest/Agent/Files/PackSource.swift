import Support

/// The bytes of one member: its header, a file's segments, and the padding.
struct PackSource: ~Copyable {
    private var header: [UInt8] = []
    private var headerPosition = 0
    private var file: Descriptor?
    private var path: [UInt8] = []
    private var segments: [TarSegment] = []
    private var segment = 0
    private var done: UInt64 = 0
    private var padding = 0
    private var failure: AgentFailure?

    /// More segments than these are packed with the holes between them.
    private static let mostSegments = 8192

    mutating func begin(header: [UInt8]) {
        self.header = header
        headerPosition = 0
        segments = []
        segment = 0
        padding = 0
    }

    /// Opens a file; returns how many bytes of data it has.
    mutating func begin(
        _ member: TarMember, _ directory: Int32, _ name: [UInt8], _ flags: Int
    ) throws(Errno) -> UInt64 {
        let noFollow = flags == 0 ? 0 : OpenFlags.noFollow
        let file = try Descriptor(
            name.withCString {
                system(
                    SystemCall.openat, Int(directory), Int($0),
                    OpenFlags.read | OpenFlags.nonblocking | OpenFlags.closeOnExec | noFollow)
            })
        let empty: StaticString = ""
        let status = try FileFacts.statx(Int(file.number), Int(empty.utf8Start), OpenFlags.emptyPath).get()
        guard FileFacts.kind(status.mode) == .file else { throw Errno.noEntry }
        var member = member
        member.size = status.size
        let isSparse = status.blocks < status.size / 512
        let found = isSparse ? Self.dataSegments(file, size: status.size) : nil
        begin(header: TarWriter.header(member, segments: found))
        segments = found ?? [TarSegment(offset: 0, size: status.size)]
        var stored: UInt64 = 0
        for segment in segments { stored += segment.size }
        padding = TarWriter.padding(behind: stored).count
        done = 0
        path = member.path
        self.file = consume file
        return stored
    }

    /// Where a file has data.
    private static func dataSegments(_ file: borrowing Descriptor, size: UInt64) -> [TarSegment]? {
        var found: [TarSegment] = []
        var position = 0
        while position < Int(size) {
            let start = system(SystemCall.lseek, Int(file.number), position, 3)  // SEEK_DATA
            if start == -6 { break }  // ENXIO: the rest is a hole
            // The file system does not know.
            guard start >= 0 else { return nil }
            var end = system(SystemCall.lseek, Int(file.number), start, 4)  // SEEK_HOLE
            guard end > start else { return nil }
            if found.count == mostSegments - 1 { end = Int(size) }
            let last = min(end, Int(size))
            if last > start { found.append(TarSegment(offset: UInt64(start), size: UInt64(last - start))) }
            position = end
        }
        return found
    }

    /// The next bytes of the member; zero at its end.
    mutating func read(_ place: UnsafeMutableRawPointer, _ size: Int) -> Int {
        if headerPosition < header.count {
            let count = min(size, header.count - headerPosition)
            header.withUnsafeBytes {
                place.copyMemory(from: $0.baseAddress.unsafelyUnwrapped + headerPosition, byteCount: count)
            }
            headerPosition += count
            return count
        }
        while segment < segments.count {
            let present = segments[segment]
            if done < present.size {
                return readFile(place, min(size, Int(present.size - done)), at: present.offset + done)
            }
            segment += 1
            done = 0
        }
        let count = min(size, padding)
        for index in 0..<count { place.storeBytes(of: 0, toByteOffset: index, as: UInt8.self) }
        padding -= count
        if padding == 0 { file = nil }
        return count
    }

    private mutating func readFile(_ place: UnsafeMutableRawPointer, _ size: Int, at offset: UInt64) -> Int {
        let number = Int(file.number ?? -1)
        let count = system(SystemCall.pread64, number, Int(bitPattern: place), size, Int(offset))
        if count > 0 {
            done += UInt64(count)
            return count
        }
        // The header promised so many bytes: zeros stand for those that are gone.
        if failure == nil {
            failure =
                count == 0
                ? AgentFailure(.file, text: .quoted(path, "the file became shorter while it was read"))
                : AgentFailure(.file, path, Errno(Int32(-count)))
        }
        for index in 0..<size { place.storeBytes(of: 0, toByteOffset: index, as: UInt8.self) }
        done += UInt64(size)
        return size
    }

    mutating func takeFailure() -> AgentFailure? {
        defer { failure = nil }
        return failure
    }

    mutating func end() { file = nil }
}
