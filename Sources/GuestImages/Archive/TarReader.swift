internal import Glibc
internal import HostSystem

/// Reads a tar archive (POSIX ustar with GNU long names and pax headers), as `dpkg-deb` writes it, from a file.
struct TarReader: ~Copyable {
    enum Kind: Equatable, Sendable {
        case file, directory
        case symbolicLink(target: String)
        case hardLink(target: String)
    }

    struct Entry: Equatable, Sendable {
        /// Relative, without a leading `./` or a trailing slash; empty for the archive's root directory.
        var path: String
        var kind: Kind
        /// Permission bits with set-id and sticky bits.
        var mode: UInt32
        var uid: UInt32
        var gid: UInt32
        var modified: Int
        var size: UInt64
        /// Where the file's data begins in the archive.
        var offset: UInt64
    }

    private let file: FileDescriptor
    private let name: String
    private var position: UInt64 = 0

    init(path: String) throws(ImageError) {
        name = path
        do throws(SystemError) {
            file = try FileDescriptor(path: path, flags: O_RDONLY)
        } catch {
            throw Files.failure(error)
        }
    }

    /// The next member, or nil at the archive's end.
    mutating func next() throws(ImageError) -> Entry? {
        var longPath: String?
        var longTarget: String?
        while true {
            let header = try read(at: position, count: 512)
            if header.count < 512 || header.allSatisfy({ $0 == 0 }) { return nil }
            guard Self.checksumMatches(header) else { throw damaged("bad header at byte \(position)") }
            let size = try number(header[124..<136])
            let offset = position + 512
            let (padded, overflow) = size.addingReportingOverflow(511)
            guard !overflow, padded < 1 << 48 else { throw damaged("member of \(size) bytes") }
            position = offset + padded / 512 * 512

            switch header[156] {
            case UInt8(ascii: "L"): longPath = try text(offset, size)
            case UInt8(ascii: "K"): longTarget = try text(offset, size)
            case UInt8(ascii: "x"):
                for (key, value) in Self.paxRecords(try meta(offset, size)) {
                    if key == "path" { longPath = value }
                    if key == "linkpath" { longTarget = value }
                }
            case UInt8(ascii: "g"): continue
            default:
                return try entry(header, longPath: longPath, longTarget: longTarget, size: size, offset: offset)
            }
        }
    }

    /// The data of a member, for control files and the like; not more than `limit` bytes.
    func contents(_ entry: Entry, limit: UInt64 = 16 << 20) throws(ImageError) -> [UInt8] {
        guard entry.size <= limit else { throw damaged("\(entry.path) has \(entry.size) bytes") }
        let bytes = try read(at: entry.offset, count: Int(entry.size))
        guard bytes.count == Int(entry.size) else { throw damaged("\(entry.path) is cut off") }
        return bytes
    }

    /// Copies a member's data to a descriptor, in pieces.
    func copy(_ entry: Entry, to descriptor: borrowing FileDescriptor) throws(ImageError) {
        var done: UInt64 = 0
        while done < entry.size {
            let piece = try read(at: entry.offset + done, count: Int(min(entry.size - done, 1 << 20)))
            if piece.isEmpty { throw damaged("\(entry.path) is cut off") }
            do throws(SystemError) { try descriptor.writeAll(piece) } catch { throw Files.failure(error) }
            done += UInt64(piece.count)
        }
    }

    private func entry(
        _ header: [UInt8], longPath: String?, longTarget: String?, size: UInt64, offset: UInt64
    ) throws(ImageError) -> Entry {
        let path = longPath ?? Self.joined(prefix: Self.string(header[345..<500]), Self.string(header[0..<100]))
        let target = longTarget ?? Self.string(header[157..<257])
        let kind: Kind
        switch header[156] {
        case 0, UInt8(ascii: "0"), UInt8(ascii: "7"): kind = .file
        case UInt8(ascii: "1"):
            guard let target = Self.clean(target) else { throw damaged("the link '\(target)' leaves the archive") }
            kind = .hardLink(target: target)
        case UInt8(ascii: "2"): kind = .symbolicLink(target: target)
        case UInt8(ascii: "5"): kind = .directory
        default: throw damaged("\(path) is of type \(header[156]), which packages do not hold")
        }
        guard let clean = Self.clean(path) else { throw damaged("the path '\(path)' leaves the archive") }
        return Entry(
            path: clean, kind: kind, mode: UInt32(try number(header[100..<108]) & 0o7777),
            uid: UInt32(truncatingIfNeeded: try number(header[108..<116])),
            gid: UInt32(truncatingIfNeeded: try number(header[116..<124])),
            modified: Int(truncatingIfNeeded: try number(header[136..<148])),
            size: kind == .file ? size : 0, offset: offset)
    }

    /// A path without `.` components; nil when it has `..`.
    static func clean(_ path: String) -> String? {
        let parts = path.split(separator: "/").filter { $0 != "." }
        return parts.contains("..") ? nil : parts.joined(separator: "/")
    }

    private static func joined(prefix: String, _ name: String) -> String {
        prefix.isEmpty ? name : "\(prefix)/\(name)"
    }

    private static func string(_ field: ArraySlice<UInt8>) -> String {
        String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// An octal field, or GNU's base-256 form, whose first byte has its top bit set.
    private func number(_ field: ArraySlice<UInt8>) throws(ImageError) -> UInt64 {
        var value: UInt64 = 0
        if field.first! & 0x80 != 0 {
            for byte in field.suffix(8) { value = value << 8 | UInt64(byte) }
            return value & ~(field.count == 8 ? 1 << 63 : 0)
        }
        for byte in field where byte != 0 && byte != UInt8(ascii: " ") {
            guard (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(byte) else {
                throw damaged("a number has an invalid digit")
            }
            value = value << 3 | UInt64(byte & 7)
        }
        return value
    }

    /// The sum of all bytes of the header, its own field taken as blanks.
    private static func checksumMatches(_ header: [UInt8]) -> Bool {
        var sum = 8 * UInt64(UInt8(ascii: " "))
        for index in header.indices where !(148..<156).contains(index) { sum += UInt64(header[index]) }
        let stored = header[148..<156].reduce(UInt64(0)) {
            (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($1) ? $0 << 3 | UInt64($1 & 7) : $0
        }
        return sum == stored
    }

    /// Records of the form `LENGTH KEY=VALUE\n`, the length counting all of it.
    static func paxRecords(_ bytes: [UInt8]) -> [(String, String)] {
        var records: [(String, String)] = []
        var rest = bytes[...]
        while let space = rest.firstIndex(of: UInt8(ascii: " ")) {
            guard let length = Int(String(decoding: rest[..<space], as: UTF8.self)), length <= rest.count,
                length > space - rest.startIndex + 1
            else { break }
            let record = rest[(space + 1)..<(rest.startIndex + length - 1)]
            if let equals = record.firstIndex(of: UInt8(ascii: "=")) {
                let key = String(decoding: record[..<equals], as: UTF8.self)
                records.append((key, String(decoding: record[(equals + 1)...], as: UTF8.self)))
            }
            rest = rest[(rest.startIndex + length)...]
        }
        return records
    }

    private func meta(_ offset: UInt64, _ size: UInt64) throws(ImageError) -> [UInt8] {
        guard size <= 1 << 20 else { throw damaged("a header of \(size) bytes") }
        return try read(at: offset, count: Int(size))
    }

    private func text(_ offset: UInt64, _ size: UInt64) throws(ImageError) -> String {
        String(decoding: try meta(offset, size).prefix { $0 != 0 }, as: UTF8.self)
    }

    private func read(at offset: UInt64, count: Int) throws(ImageError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        do throws(SystemError) {
            let done = try bytes.withUnsafeMutableBufferPointer { (buffer) throws(SystemError) in
                try file.read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
            }
            bytes.removeLast(count - done)
        } catch {
            throw Files.failure(error)
        }
        return bytes
    }

    private func damaged(_ what: String) -> ImageError {
        ImageError(.badInput, "archive \(name): \(what); the package's file is damaged, remove it and build again")
    }
}
