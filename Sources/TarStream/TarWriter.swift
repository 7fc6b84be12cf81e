/// Writes the headers of a tar archive: ustar, with pax records where ustar has no place for a fact.
///
/// A member is its header, its data (of a sparse file: of its segments), and zeros up to a multiple of 512 bytes.
package enum TarWriter {
    /// The end of an archive: two blocks of zeros.
    package static var end: [UInt8] { [UInt8](repeating: 0, count: 1024) }

    /// The zeros behind a member's data.
    package static func padding(behind stored: UInt64) -> [UInt8] {
        [UInt8](repeating: 0, count: TarReader.padding(stored))
    }

    /// The most segments that a sparse file may have here, as many as `TarReader` takes.
    package static let mostSegments = TarReader.mostSegments - 1

    /// The bytes in front of a member's data.
    ///
    /// - Parameter segments: where a sparse file has data, in ascending order; nil for a file that is written whole.
    package static func header(_ member: TarMember, segments: [TarSegment]? = nil) -> [UInt8] {
        var records: [UInt8] = []
        var stored = member.kind == .file ? member.size : 0
        var map: [UInt8] = []
        var name = member.path
        if let segments, member.kind == .file {
            map = sparseMap(segments, size: member.size)
            stored = UInt64(map.count)
            for segment in segments { stored += segment.size }
            add("GNU.sparse.major", [UInt8(ascii: "1")], to: &records)
            add("GNU.sparse.minor", [UInt8(ascii: "0")], to: &records)
            add("GNU.sparse.name", member.path, to: &records)
            add("GNU.sparse.realsize", decimal(member.size), to: &records)
            name = text("GNUSparseFile.0/") + lastComponent(member.path)
        }
        var block = TarBlock()
        if name.count > 100, segments == nil { add("path", name, to: &records) }
        block.set(name, 0, 100)
        block.set(octal: UInt64(member.mode & 0o7777), 100, 8)
        setNumber(UInt64(member.owner), 108, 8, "uid", &block, &records)
        setNumber(UInt64(member.group), 116, 8, "gid", &block, &records)
        setNumber(stored, 124, 12, "size", &block, &records)
        setTime(member.modified, &block, &records)
        setKind(member.kind, &block, &records)
        var bytes: [UInt8] = []
        if !records.isEmpty { appendExtended(records, for: member, to: &bytes) }
        block.append(to: &bytes)
        bytes.append(contentsOf: map)
        return bytes
    }

    private static func setKind(_ kind: TarMember.Kind, _ block: inout TarBlock, _ records: inout [UInt8]) {
        func link(_ target: [UInt8]) {
            if target.count > 100 { add("linkpath", target, to: &records) }
            block.set(target, 157, 100)
        }
        func device(_ major: UInt32, _ minor: UInt32) {
            // Linux has twelve bits and twenty, for which seven octal digits are enough.
            block.set(octal: UInt64(major & 0o7777777), 329, 8)
            block.set(octal: UInt64(minor & 0o7777777), 337, 8)
        }
        switch kind {
        case .file: block.set(type: UInt8(ascii: "0"))
        case .hardLink(let target):
            block.set(type: UInt8(ascii: "1"))
            link(target)
        case .symbolicLink(let target):
            block.set(type: UInt8(ascii: "2"))
            link(target)
        case .characterDevice(let major, let minor):
            block.set(type: UInt8(ascii: "3"))
            device(major, minor)
        case .blockDevice(let major, let minor):
            block.set(type: UInt8(ascii: "4"))
            device(major, minor)
        case .directory: block.set(type: UInt8(ascii: "5"))
        case .fifo: block.set(type: UInt8(ascii: "6"))
        }
    }

    /// A number in the header, or in a record if it has too many digits.
    private static func setNumber(
        _ value: UInt64, _ offset: Int, _ size: Int, _ key: StaticString, _ block: inout TarBlock,
        _ records: inout [UInt8]
    ) {
        if value >> UInt64(3 * (size - 1)) != 0 {
            add(key, decimal(value), to: &records)
        } else {
            block.set(octal: value, offset, size)
        }
    }

    /// The time in whole seconds in the header; nanoseconds, and times before 1970, in a record.
    private static func setTime(_ nanoseconds: Int64, _ block: inout TarBlock, _ records: inout [UInt8]) {
        let magnitude = nanoseconds.magnitude
        let seconds = magnitude / 1_000_000_000
        var rest = magnitude % 1_000_000_000
        if nanoseconds >= 0 { block.set(octal: seconds, 136, 12) }
        guard nanoseconds < 0 || rest != 0 else { return }
        var text: [UInt8] = nanoseconds < 0 ? [UInt8(ascii: "-")] : []
        text.append(contentsOf: decimal(seconds))
        text.append(UInt8(ascii: "."))
        var unit: UInt64 = 100_000_000
        while unit > 0 {
            text.append(UInt8(ascii: "0") + UInt8(rest / unit))
            rest %= unit
            unit /= 10
        }
        add("mtime", text, to: &records)
    }

    private static func sparseMap(_ segments: [TarSegment], size: UInt64) -> [UInt8] {
        var map: [UInt8] = []
        func line(_ number: UInt64) {
            map.append(contentsOf: decimal(number))
            map.append(0x0a)
        }
        // A file that ends in a hole has an empty segment at its end, as GNU tar writes it.
        let end = segments.last.map { $0.offset + $0.size } ?? 0
        line(UInt64(segments.count) + (end < size || segments.isEmpty ? 1 : 0))
        for segment in segments {
            line(segment.offset)
            line(segment.size)
        }
        if end < size || segments.isEmpty {
            line(size)
            line(0)
        }
        map.append(contentsOf: padding(behind: UInt64(map.count)))
        return map
    }

    private static func appendExtended(_ records: [UInt8], for member: TarMember, to bytes: inout [UInt8]) {
        var block = TarBlock()
        block.set(text("PaxHeaders/") + lastComponent(member.path), 0, 100)
        block.set(octal: 0o644, 100, 8)
        block.set(octal: 0, 108, 8)
        block.set(octal: 0, 116, 8)
        block.set(octal: UInt64(records.count), 124, 12)
        block.set(octal: 0, 136, 12)
        block.set(type: UInt8(ascii: "x"))
        block.append(to: &bytes)
        bytes.append(contentsOf: records)
        bytes.append(contentsOf: padding(behind: UInt64(records.count)))
    }

    private static func lastComponent(_ path: [UInt8]) -> [UInt8] {
        let slash = UInt8(ascii: "/")
        let name = path.split(separator: slash).last.map(Array.init) ?? []
        return name.isEmpty ? [UInt8(ascii: ".")] : name
    }

    /// `LENGTH KEY=VALUE` and a line feed; the length counts its own digits.
    private static func add(_ key: StaticString, _ value: [UInt8], to records: inout [UInt8]) {
        let rest = 1 + key.utf8CodeUnitCount + 1 + value.count + 1
        var length = rest + 1
        while decimal(UInt64(length)).count + rest != length { length += 1 }
        records.append(contentsOf: decimal(UInt64(length)))
        records.append(0x20)
        records.append(contentsOf: UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount))
        records.append(UInt8(ascii: "="))
        records.append(contentsOf: value)
        records.append(0x0a)
    }

    private static func text(_ text: StaticString) -> [UInt8] {
        Array(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    static func decimal(_ number: UInt64) -> [UInt8] {
        var digits: [UInt8] = []
        var rest = number
        repeat {
            digits.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        return Array(digits.reversed())
    }
}
