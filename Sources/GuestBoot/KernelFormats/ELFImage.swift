internal import GuestMemory

/// The loadable part of a 64-bit little-endian ELF executable (System V ABI, chapters 4 and 5).
package struct ELFImage: Sendable {
    /// A PT_LOAD segment with at least one byte in memory. Ends do not overflow.
    package struct Segment: Equatable, Sendable {
        package let fileOffset: UInt64
        package let fileSize: UInt64
        package let virtualAddress: UInt64
        package let physicalAddress: UInt64
        package let memorySize: UInt64
    }

    /// Linkers write a dozen; the format allows 65535.
    static let headerLimit = 256
    private static let headerSize = 64
    private static let programHeaderSize = 56
    private static let executable: UInt16 = 2
    private static let noteSegment: UInt32 = 4
    /// Bytes of notes in a segment; a kernel has some hundreds.
    private static let notesLimit: UInt64 = 1 << 16
    private static let positionIndependent: UInt16 = 3

    let source: BootSource
    package let entry: UInt64
    /// Ascending by physical address, not overlapping, not empty.
    package let segments: [Segment]
    /// Where the file's last part ends: its section headers, or its segments. What follows is not ELF's.
    let end: UInt64
    private let isPositionIndependent: Bool
    /// Where the file has notes: offset and size in bytes, in the file.
    private let notes: [(offset: UInt64, size: UInt64)]

    static func matches(_ header: [UInt8]) -> Bool { header.has([0x7F, 0x45, 0x4C, 0x46], at: 0) }

    /// Reads and checks the headers of an executable for `architecture`.
    init(_ source: BootSource, architecture: Architecture) throws(BootError) {
        let item = source.item
        let header = try source.bytes(at: 0, count: Self.headerSize)
        func half(_ offset: Int) -> UInt16 { header.littleEndian(at: offset) ?? 0 }
        func word(_ offset: Int) -> UInt64 { header.littleEndian(at: offset) ?? 0 }

        let machine = header[5] == 2 ? half(18).byteSwapped : half(18)
        guard header[4] == 2, header[5] == 1, machine == architecture.elfMachine else {
            let name = machine == 243 ? "RISC-V" : Architecture.elfMachineName(machine)
            let kind = header[4] == 1 ? "a 32-bit" : header[5] == 2 ? "a big-endian" : "an"
            throw .wrongArchitecture(item, found: "\(kind) ELF file for \(name)", expected: architecture.name)
        }
        let type = half(16)
        guard type == Self.executable || type == Self.positionIndependent else {
            throw .corrupt(item, reason: "an ELF file of type \(type), not an executable")
        }
        let count = Int(half(56))
        guard count <= Self.headerLimit, half(54) == UInt16(Self.programHeaderSize) || count == 0 else {
            throw .corrupt(item, reason: "\(count) ELF program headers of \(half(54)) bytes")
        }
        let table = try source.bytes(at: word(32), count: count * Self.programHeaderSize)
        var segments: [Segment] = []
        for index in 0..<count {
            if let segment = try Self.segment(table, at: index * Self.programHeaderSize, of: source) {
                segments.append(segment)
            }
        }
        guard !segments.isEmpty else { throw .corrupt(item, reason: "an ELF file without loadable segments") }
        segments.sort { $0.physicalAddress < $1.physicalAddress }
        for (lower, upper) in zip(segments, segments.dropFirst()) {
            guard upper.physicalAddress - lower.physicalAddress >= lower.memorySize else {
                throw .overlaps(item, other: "another of its segments", address: upper.physicalAddress)
            }
        }
        self.source = source
        self.segments = segments
        notes = (0..<count).compactMap { index in
            let offset = index * Self.programHeaderSize
            guard table.littleEndian(at: offset, as: UInt32.self) == Self.noteSegment else { return nil }
            return (table.littleEndian(at: offset + 8) ?? 0, table.littleEndian(at: offset + 32) ?? 0)
        }
        entry = word(24)
        // Sizes and counts are of 16 bits, and segments end in the file.
        let sections = word(40).addingReportingOverflow(UInt64(half(58)) * UInt64(half(60)))
        end = max(
            sections.overflow ? .max : sections.partialValue, segments.map { $0.fileOffset + $0.fileSize }.max() ?? 0)
        isPositionIndependent = type == Self.positionIndependent
    }

    /// The PT_LOAD segment described at `offset` of the program headers; nil for another kind, or an empty one.
    private static func segment(
        _ table: [UInt8], at offset: Int, of source: BootSource
    ) throws(BootError) -> Segment? {
        func field(_ place: Int) -> UInt64 { table.littleEndian(at: offset + place) ?? 0 }
        let segment = Segment(
            fileOffset: field(8), fileSize: field(32), virtualAddress: field(16), physicalAddress: field(24),
            memorySize: field(40))
        guard table.littleEndian(at: offset, as: UInt32.self) == 1, segment.memorySize > 0 else { return nil }
        guard segment.fileSize <= segment.memorySize else {
            throw .corrupt(source.item, reason: "an ELF segment is larger in the file than in memory")
        }
        for address in [segment.physicalAddress, segment.virtualAddress] {
            // One that ends exactly at 2^64 is refused too, which nobody links.
            guard !address.addingReportingOverflow(segment.memorySize).overflow else {
                throw .corrupt(source.item, reason: "an ELF segment at \(hexadecimal(address)) wraps around")
            }
        }
        try source.check(offset: segment.fileOffset, count: segment.fileSize)
        return segment
    }

    /// The descriptor of the first note with that name and type; nil when there is none.
    ///
    /// A note: sizes of name and descriptor, the type, 4 bytes each; the name with its NUL, and the descriptor, both padded to 4.
    func note(named name: String, type: UInt32) throws(BootError) -> [UInt8]? {
        for (offset, size) in notes {
            guard size <= Self.notesLimit else {
                throw .corrupt(source.item, reason: "\(size) bytes of ELF notes")
            }
            let bytes = try source.bytes(at: offset, count: Int(size))
            var position = 0
            while let nameSize: UInt32 = bytes.littleEndian(at: position),
                let descriptorSize: UInt32 = bytes.littleEndian(at: position + 4),
                let found: UInt32 = bytes.littleEndian(at: position + 8)
            {
                let start = position + 12 + ((Int(nameSize) + 3) & ~3)
                let end = start + Int(descriptorSize)
                guard end <= bytes.count else { break }
                if found == type, bytes.has(Array(name.utf8) + [0], at: position + 12) {
                    return Array(bytes[start..<end])
                }
                position = (end + 3) & ~3
            }
        }
        return nil
    }

    /// Lowest physical address to the end of the highest segment, in bytes.
    var extent: UInt64 {
        guard let first = segments.first, let last = segments.last else { return 0 }
        return last.physicalAddress - first.physicalAddress + last.memorySize
    }

    /// What is added to the physical addresses, modulo 2^64, when the file is loaded.
    ///
    /// Linkers mean two things by `p_paddr`. Mostly it is where the segment belongs. But a position-independent firmware
    /// is linked at 0, and a kernel that runs in the upper half of the address space has virtual addresses there, or
    /// offsets from the place where it is loaded: these go to `base`.
    func bias(base: UInt64, memory: GuestMemory) -> UInt64 {
        let fitsAsLinked = segments.allSatisfy {
            memory.hostAddress(of: $0.physicalAddress, count: $0.memorySize) != nil
        }
        let runsAnywhere = isPositionIndependent || segments.allSatisfy { $0.virtualAddress >> 63 == 1 }
        return fitsAsLinked || !runsAnywhere ? 0 : base &- segments[0].physicalAddress
    }

    /// The physical address at which execution starts, given the bias; the entry may be linked virtual or physical.
    func entryAddress(bias: UInt64) throws(BootError) -> UInt64 {
        for segment in segments where entry &- segment.virtualAddress < segment.memorySize {
            return entry &- segment.virtualAddress &+ segment.physicalAddress &+ bias
        }
        for segment in segments where entry &- segment.physicalAddress < segment.memorySize {
            return entry &+ bias
        }
        throw .corrupt(source.item, reason: "the entry point \(hexadecimal(entry)) lies in no segment")
    }

    /// Copies the segments into memory and clears the rest of each, as placed in `layout`. Returns the entry's address.
    func load(base: UInt64, into layout: inout BootLayout) throws(BootError) -> UInt64 {
        let bias = bias(base: base, memory: layout.memory)
        for segment in segments {
            let address = segment.physicalAddress &+ bias
            try layout.place(source.item, at: address, size: segment.memorySize)
        }
        for segment in segments {
            let address = segment.physicalAddress &+ bias
            try layout.copy(source, offset: segment.fileOffset, count: segment.fileSize, to: address)
            try layout.clear(
                source.item, at: address + segment.fileSize, count: segment.memorySize - segment.fileSize)
        }
        return try entryAddress(bias: bias)
    }
}
