import Testing

@testable import TarStream

@Suite("Tar streams")
struct TarStreamTests {
    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    /// Every kind of member, with facts that need extended headers.
    private static var members: [(TarMember, [TarSegment]?, [UInt8])] {
        var file = TarMember(path: bytes("dir/file"), kind: .file, mode: 0o4755)
        file.size = 1000
        file.owner = 0xffff_fffe
        file.group = 3_000_000
        file.modified = 1_234_567_890_123_456_789
        var sparse = TarMember(path: bytes("sparse"), kind: .file, mode: 0o600)
        sparse.size = 1 << 40
        var hole = sparse
        hole.path = bytes("hole")
        var old = TarMember(path: [UInt8](repeating: 0x61, count: 300), kind: .directory, mode: 0o1777)
        old.modified = -1_500_000_000
        let long = [UInt8](repeating: 0x62, count: 500)
        return [
            (file, nil, (0..<1000).map { UInt8(truncatingIfNeeded: $0) }),
            (
                sparse, [TarSegment(offset: 0, size: 5), TarSegment(offset: 1 << 39, size: 600)],
                [UInt8](repeating: 7, count: 605)
            ),
            (hole, [], []), (old, nil, []),
            (TarMember(path: bytes("l"), kind: .symbolicLink(target: long), mode: 0o777), nil, []),
            (TarMember(path: bytes("h"), kind: .hardLink(target: bytes("dir/file")), mode: 0o644), nil, []),
            (TarMember(path: bytes("p"), kind: .fifo, mode: 0o644), nil, []),
            (TarMember(path: bytes("c"), kind: .characterDevice(major: 4, minor: 64), mode: 0o620), nil, []),
            (TarMember(path: bytes("b"), kind: .blockDevice(major: 254, minor: 1), mode: 0o660), nil, []),
        ]
    }

    private static var archive: [UInt8] {
        var archive: [UInt8] = []
        for (member, segments, data) in members {
            archive +=
                TarWriter.header(member, segments: segments) + data + TarWriter.padding(behind: UInt64(data.count))
        }
        return archive + TarWriter.end
    }

    /// What a reader finds, with the data of each member in one piece for each segment.
    private static func events(_ archive: [UInt8], pieces: Int) throws(TarFault) -> [TarEvent] {
        var reader = TarReader()
        var found: [TarEvent] = []
        var start = 0
        while start < archive.count {
            reader.append(Array(archive[start..<min(start + pieces, archive.count)]))
            start += pieces
            while let event = try reader.next() {
                if case .data(let offset, let more) = event, case .data(let first, let bytes)? = found.last,
                    first + UInt64(bytes.count) == offset
                {
                    found[found.count - 1] = .data(offset: first, bytes + more)
                } else {
                    found.append(event)
                }
            }
        }
        try reader.finish()
        return found
    }

    private static var expected: [TarEvent] {
        var expected: [TarEvent] = []
        for (member, segments, data) in members {
            expected.append(.member(member))
            var position = 0
            for segment in segments ?? (data.isEmpty ? [] : [TarSegment(offset: 0, size: UInt64(data.count))]) {
                expected.append(.data(offset: segment.offset, Array(data[position..<(position + Int(segment.size))])))
                position += Int(segment.size)
            }
            expected.append(.memberEnd)
        }
        return expected + [.archiveEnd]
    }

    @Test(
        "Every member is read as it was written, in pieces of every size",
        arguments: [1, 7, 511, 512, 513, 5000, 1 << 20])
    func roundTrip(pieces: Int) throws {
        #expect(try Self.events(Self.archive, pieces: pieces) == Self.expected)
    }

    @Test("An archive that is cut ends in a fault within a member, and in none between members")
    func cuts() throws {
        let archive = Self.archive
        var whole = 0
        for length in 0...archive.count {
            do throws(TarFault) {
                let found = try Self.events(Array(archive[..<length]), pieces: 4096)
                #expect(found == Array(Self.expected[..<found.count]))
                whole += 1
            } catch {
                #expect(error == .truncated)
            }
        }
        // Between the nine members, in front of the first, behind each of the two blocks at the end, and in between.
        #expect(whole >= 11)
    }

    @Test("Any byte may be any other: the archive is read or refused")
    func damage() {
        let archive = Self.archive
        for index in stride(from: 0, to: archive.count, by: 3) {
            for value: UInt8 in [0, 0x2d, 0x39, 0xff] {
                var damaged = archive
                damaged[index] = value
                _ = try? Self.events(damaged, pieces: 1 << 20)
            }
        }
    }

    @Test("A header with a good checksum and hostile fields is refused")
    func hostileHeaders() {
        func fault(_ change: (inout [UInt8]) -> Void) -> TarFault? {
            var member = TarMember(path: Self.bytes("x"), kind: .file, mode: 0o644)
            member.size = 0
            var block = TarWriter.header(member)
            change(&block)
            for index in 148..<156 { block[index] = 0x20 }
            var sum = block.reduce(0) { $0 + Int($1) }
            for index in (148..<154).reversed() {
                block[index] = 0x30 + UInt8(sum & 7)
                sum >>= 3
            }
            do throws(TarFault) {
                _ = try Self.events(block + [UInt8](repeating: 0, count: 4096), pieces: 512)
                return nil
            } catch { return error }
        }
        #expect(fault { _ in } == nil)
        #expect(fault { $0[156] = 0x56 } == .type(0x56))
        #expect(fault { $0[0] = 0 } == .path)
        #expect(fault { $0[124] = 0x39 } == .number)
        #expect(fault { for index in 124..<136 { $0[index] = 0xff } } == .number)
        #expect(fault { for index in 124..<136 { $0[index] = 0x7f | 0x80 } } == .number)
        #expect(
            fault {
                for index in 124..<136 { $0[index] = 0 }
                $0[124] = 0x80
                $0[130] = 0x40
            } == .truncated)
        #expect(
            fault {
                $0[156] = 0x78
                $0[124] = 0x37
            } == .extendedHeaderSize)
        #expect(fault { $0[156] = 0x32 } == .path)
    }

    @Test("Extended headers of a wrong form are refused")
    func extendedHeaders() {
        func fault(_ records: String) -> TarFault? {
            var extended = TarExtended()
            do throws(TarFault) {
                try extended.take(records: Self.bytes(records))
                return nil
            } catch { return error }
        }
        #expect(fault("10 path=ab\n") == .extendedHeader)
        #expect(fault("11 path=ab\n") == nil)
        #expect(fault("99 path=ab\n") == .extendedHeader)
        #expect(fault("4 path=ab\n") == .extendedHeader)
        #expect(fault("-1 path=ab\n") == .extendedHeader)
        #expect(fault("9 path=\n") == .extendedHeader)
        #expect(fault("8 path=\n") == .path)
        #expect(fault("14 size=12x45\n") == .number)
        #expect(fault("22 GNU.sparse.major=0\n") == .sparseVersion)
        #expect(fault("18 mtime=-1.5.5.5\n") == .number)
    }

    @Test("The maps of sparse files are bounded, ascending and as large as the data")
    func sparseMaps() {
        func fault(_ map: String, stored: UInt64, size: UInt64 = 100) -> TarFault? {
            var member = TarMember(path: Self.bytes("s"), kind: .file, mode: 0o644)
            member.size = size
            var archive = TarWriter.header(member, segments: [TarSegment(offset: 0, size: stored)])
            var block = Self.bytes(map)
            while block.count % 512 != 0 { block.append(0) }
            archive.replaceSubrange((archive.count - 512)..<archive.count, with: block)
            do throws(TarFault) {
                _ = try Self.events(archive + [UInt8](repeating: 1, count: 512) + TarWriter.end, pieces: 100)
                return nil
            } catch { return error }
        }
        #expect(fault("1\n0\n10\n", stored: 10) == nil)
        #expect(fault("1\n0\n11\n", stored: 10) == .sparseMap)
        #expect(fault("1\n95\n10\n", stored: 10) == .sparseMap)
        #expect(fault("2\n50\n5\n0\n5\n", stored: 10) == .sparseMap)
        #expect(fault("1\nx\n10\n", stored: 10) == .sparseMap)
        #expect(fault("99999\n", stored: 10) == .sparseSegments)
        #expect(fault("1\n9223372036854775807\n10\n", stored: 10) == .sparseMap)
        #expect(fault("1\n0\n99999999999999999999\n", stored: 10) == .sparseMap)
    }

    @Test("Paths lose what makes them absolute, and those with '..' are refused")
    func paths() {
        func components(_ path: String) -> [String]? {
            TarPath.components(Self.bytes(path))?.map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(components("/a//./b/") == ["a", "b"])
        #expect(components("./") == [])
        #expect(components("") == [])
        #expect(components("a/..") == nil)
        #expect(components("..") == nil)
        #expect(components("..a/b..") == ["..a", "b.."])
    }
}
