import Foundation
import GuestMemory
import GuestToolchain
import HostSystem
import SavedState
import TestSupport
import Testing

@testable import Aerie

/// Memories that have in a file of their own only what differs from an earlier one.
@Suite("Incremental memories")
struct IncrementalMemoryTests {
    private static let page = 4096
    private let directory = TemporaryDirectory()

    /// A memory whose pages have these bytes in all places.
    private func whole(_ name: String, _ pages: [UInt8]) throws {
        let path = try directory.file(name, Data())
        let file = try FileDescriptor(path: path, flags: O_RDWR)
        try file.truncate(to: UInt64(pages.count * Self.page))
        for (index, byte) in pages.enumerated() where byte != 0 {
            let bytes = [UInt8](repeating: byte, count: Self.page)
            try bytes.withUnsafeBytes { try file.writeAll(at: UInt64(index * Self.page), $0) }
        }
    }

    /// Calls `body` with the open files NAME, NAME.map if it is there, and those of the other memories.
    private func withFiles<Result>(
        _ name: String, others: [String] = [], _ body: (SavedMemoryFiles) throws -> Result
    ) throws -> Result {
        let map = open(directory.path("\(name).map"), O_RDONLY)
        let files = SavedMemoryFiles(
            memory: open(directory.path(name), O_RDONLY), map: map < 0 ? nil : map,
            others: others.map { open(directory.path($0), O_RDONLY) })
        defer { for descriptor in files.descriptors { close(descriptor) } }
        return try body(files)
    }

    private func saved(_ name: String, others: [String] = []) throws -> SavedMemory {
        try withFiles(name, others: others) { try SavedMemory($0) }
    }

    /// Makes the memory `whole` an incremental one in the files NAME and NAME.map.
    private func increment(
        _ name: String, whole: String, of earlier: SavedMemory, mostPieces: Int = MemoryMap.mostPieces
    ) throws -> IncrementalMemory.Outcome {
        let flags = O_RDWR | O_CREAT
        let own = try FileDescriptor(path: directory.path(name), flags: flags, mode: 0o600)
        let map = try FileDescriptor(path: directory.path("\(name).map"), flags: flags, mode: 0o600)
        return try IncrementalMemory.make(
            whole: try saved(whole), earlier: earlier, own: own, map: map, mostPieces: mostPieces)
    }

    /// The first byte of each page, when all bytes of a page are the same.
    private func pages(_ memory: SavedMemory) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 1, count: Int(memory.size))
        try bytes.withUnsafeMutableBytes { try memory.read(at: 0, into: $0) }
        return stride(from: 0, to: bytes.count, by: Self.page).map { start in
            bytes[start..<(start + Self.page)].allSatisfy { $0 == bytes[start] } ? bytes[start] : 255
        }
    }

    private func allocated(_ name: String) throws -> Int {
        let values = try FileManager.default.attributesOfItem(atPath: directory.path(name))
        var status = stat()
        #expect(lstat(directory.path(name), &status) == 0)
        #expect(values[.size] as? Int == Int(status.st_size))
        return Int(status.st_blocks) * 512
    }

    @Test("Only pages that differ are stored, a page that became zero takes no room, and each memory is as it was")
    func differences() throws {
        var contents = [UInt8](repeating: 7, count: 100) + [UInt8](repeating: 0, count: 100)
        try whole("a", contents)
        let first = try saved("a")
        // Pages 10 and 12 are one piece with the page between them; 20 is zero; 150 was zero.
        for (page, byte) in [(10, 1), (12, 2), (20, 0), (150, 3), (199, 4)] { contents[page] = UInt8(byte) }
        try whole("b.whole", contents)
        #expect(try increment("b", whole: "b.whole", of: first) == .incremental(others: [0]))
        let second = try saved("b", others: ["a"])
        #expect(try pages(second) == contents)
        #expect(try allocated("b") == 5 * Self.page)
        #expect(second.source.pieces.map(\.file) == [1, 0, 1, 0, 1, 0, 1, 0])
        #expect(second.files(of: 0..<UInt64(10 * Self.page)) == [1])
        #expect(second.files(of: UInt64(9 * Self.page)..<UInt64(11 * Self.page)) == [0, 1])
        var data: [Range<Int>] = []
        while let range = try second.nextData(from: UInt64(data.last?.upperBound ?? 0)) {
            data.append(Int(range.lowerBound)..<Int(range.upperBound))
        }
        let touched = Set(data.flatMap { $0.lowerBound / Self.page..<$0.upperBound / Self.page })
        #expect(touched == Set(contents.indices.filter { contents[$0] != 0 }))

        // The third one needs both. The fourth one has new pages for all of theirs, and needs only the first one.
        contents[150] = 5
        try whole("c.whole", contents)
        #expect(try increment("c", whole: "c.whole", of: second) == .incremental(others: [0, 1]))
        let third = try saved("c", others: ["b", "a"])
        #expect(try pages(third) == contents)
        #expect(try allocated("c") == Self.page)
        for page in [10, 12, 20] { contents[page] = 7 }
        for page in [150, 199] { contents[page] = 6 }
        try whole("d.whole", contents)
        #expect(try increment("d", whole: "d.whole", of: third) == .incremental(others: [2]))
        #expect(try pages(try saved("d", others: ["a"])) == contents)
    }

    @Test("A memory that is mostly another one, or of another size, is kept whole")
    func keptWhole() throws {
        try whole("a", [UInt8](repeating: 7, count: 40))
        try whole("b", [UInt8](repeating: 8, count: 31) + [UInt8](repeating: 7, count: 9))
        #expect(try increment("x", whole: "b", of: try saved("a")) == .whole)
        try whole("c", [UInt8](repeating: 8, count: 30) + [UInt8](repeating: 7, count: 10))
        #expect(try increment("y", whole: "c", of: try saved("a")) == .incremental(others: [0]))
        try whole("d", [UInt8](repeating: 7, count: 41))
        #expect(try increment("z", whole: "d", of: try saved("a")) == .whole)
    }

    @Test("A memory has no more pieces than it may have, and no more files")
    func limits() throws {
        var contents = [UInt8](repeating: 9, count: 400)
        try whole("m0", contents)
        for page in stride(from: 0, to: 60, by: 6) { contents[page] = 1 }
        try whole("few.whole", contents)
        let first = try saved("m0")
        #expect(try increment("many", whole: "few.whole", of: first, mostPieces: 20) == .incremental(others: [0]))
        #expect(try saved("many", others: ["m0"]).source.pieces.count == 20)
        #expect(try increment("few", whole: "few.whole", of: first, mostPieces: 19) == .incremental(others: [0]))
        let few = try saved("few", others: ["m0"])
        #expect(few.source.pieces.count == 2)
        #expect(try pages(few) == contents)

        var earlier = first
        var names = ["m0"]
        for round in 1..<MemoryMap.mostFiles {
            contents[round * 10] = UInt8(100 + round)
            try whole("whole", contents)
            #expect(
                try increment("m\(round)", whole: "whole", of: earlier) == .incremental(others: Array(0..<round)))
            earlier = try saved("m\(round)", others: names)
            #expect(try pages(earlier) == contents)
            names.insert("m\(round)", at: 0)
        }
        contents[399] = 200
        try whole("whole", contents)
        #expect(try increment("last", whole: "whole", of: earlier) == .whole)
    }

    @Test("A map that is cut off, altered, or of impossible pieces is refused")
    func hostileMaps() throws {
        let map = MemoryMap(
            files: 2, pieces: [.init(range: 0..<0x3000, file: 1), .init(range: 0x3000..<0x5000, file: 0)])
        let whole = map.encoded
        #expect(whole.count == 28 + 2 * 12 + 4)
        #expect(try MemoryMap(encoded: whole, files: 2) == map)
        for files in [0, 1, 3, 17] {
            #expect(throws: SavedMachineError.self) { try MemoryMap(encoded: whole, files: files) }
        }
        for index in whole.indices {
            var bytes = whole
            bytes[index] ^= 0x40
            #expect(throws: SavedMachineError.self) { try MemoryMap(encoded: bytes, files: 2) }
            #expect(throws: SavedMachineError.self) { try MemoryMap(encoded: Array(whole[..<index]), files: 2) }
        }
        // Of these, the checksums are right.
        let last = 28 + 12
        let wrong: [(Int, [UInt8])] = [
            (8, LittleEndian.bytes(UInt32(2))), (12, LittleEndian.bytes(UInt32(0))),
            (16, LittleEndian.bytes(UInt64(0x6000))), (24, LittleEndian.bytes(UInt32(1))),
            (24, LittleEndian.bytes(UInt32.max)), (28, LittleEndian.bytes(UInt64(0))),
            (28, LittleEndian.bytes(UInt64(0x3001))), (28, LittleEndian.bytes(UInt64(0x5000))),
            (28, LittleEndian.bytes(UInt64.max)), (36, LittleEndian.bytes(UInt32(2))),
            (last, LittleEndian.bytes(UInt64(0x3000))), (last + 8, LittleEndian.bytes(UInt32.max)),
        ]
        for (place, value) in wrong {
            var bytes = Array(whole.dropLast(4))
            bytes.replaceSubrange(place..<(place + value.count), with: value)
            bytes += LittleEndian.bytes(CRC32C.checksum(of: bytes))
            #expect(throws: SavedMachineError.self, "\(place)") { try MemoryMap(encoded: bytes, files: 2) }
        }
        let pieces = (0...MemoryMap.mostPieces).map {
            MemorySource.Piece(range: UInt64($0 * 4096)..<UInt64(($0 + 1) * 4096), file: $0 % 2)
        }
        let longest = MemoryMap(files: 2, pieces: pieces.dropLast()).encoded
        #expect(longest.count == MemoryMap.longest)
        #expect(try MemoryMap(encoded: longest, files: 2).pieces.count == MemoryMap.mostPieces)
        #expect(throws: SavedMachineError.self) {
            try MemoryMap(encoded: MemoryMap(files: 2, pieces: pieces).encoded, files: 2)
        }
    }

    /// A machine that goes on from the files NAME, NAME.map and NAME.state.
    private func restored(
        _ name: String, others: [String], _ configuration: Configuration, engine: Configuration.Engine
    ) throws -> VirtualMachine {
        try withFiles(name, others: others) { files in
            var services = HostServices()
            services.memory = files
            var configuration = configuration
            configuration.engine = engine
            let machine = try VirtualMachine(
                configuration, console: RecordingConsole(), services: services, log: .silent)
            let state = try FileDescriptor(path: directory.path("\(name).state"), flags: O_RDONLY)
            try machine.start(restoring: state.rawValue, except: [])
            try machine.pause()
            return machine
        }
    }

    private func save(_ machine: VirtualMachine, state: String, memory: String) throws {
        let flags = O_RDWR | O_CREAT | O_TRUNC
        let state = try FileDescriptor(path: directory.path(state), flags: flags, mode: 0o600)
        let memory = try FileDescriptor(path: directory.path(memory), flags: flags, mode: 0o600)
        #expect(try !machine.save(state: state.rawValue, memory: memory.rawValue).wasRunning)
    }

    private func check(_ name: String, others: [String], suspects: Set<Int> = []) throws -> String? {
        try withFiles(name, others: others) { files in
            let state = try FileDescriptor(path: directory.path("\(name).state"), flags: O_RDONLY)
            do {
                try VirtualMachine.checkSnapshot(
                    state: state.rawValue, memory: files, owners: [name] + others, suspects: suspects, asked: "it")
                return nil
            } catch { return "\(error)" }
        }
    }

    @Test("A machine goes on from a memory in several files, is saved from there, and damage is found in each file")
    func machines() throws {
        let firmware = try SmallFirmware.busy()
        let first = try VirtualMachine(firmware.configuration, console: RecordingConsole())
        try first.start()
        try first.pause()
        let base = first.board.memory.ranges[0].base
        try first.board.memory.write([UInt8](repeating: 5, count: 4 << 20), at: base + 0x40_0000)
        try save(first, state: "m0.state", memory: "m0")
        first.kill()
        _ = first.wait()

        var names = ["m0"]
        for round in 1...3 {
            let machine = try restored(
                names[0], others: Array(names.dropFirst()), firmware.configuration,
                engine: round % 2 == 0 ? .auto : .interpret)
            let memory = machine.board.memory
            for page in 0..<20 {
                let offset = UInt64(0x40_0000 + (page * 37 + round * 5) * Self.page)
                try memory.write([UInt8](repeating: UInt8(round * 20 + page), count: 100), at: base + offset)
            }
            try save(machine, state: "m\(round).state", memory: "whole")
            let earlier = try saved(names[0], others: Array(names.dropFirst()))
            #expect(
                try increment("m\(round)", whole: "whole", of: earlier) == .incremental(others: Array(0..<round)))
            // The file system may need a block to describe so many pieces.
            #expect(try allocated("m\(round)") <= 21 * Self.page)
            #expect(try check("m\(round)", others: names) == nil)
            var bytes = [UInt8](repeating: 0, count: Int(memory.size))
            let layered = try saved("m\(round)", others: names)
            try bytes.withUnsafeMutableBytes { try layered.read(at: 0, into: $0) }
            #expect(bytes.withUnsafeBytes { memcmp($0.baseAddress!, memory.hostBase, $0.count) } == 0)
            machine.kill()
            #expect(machine.wait() == .stopped)
            names.insert("m\(round)", at: 0)
        }
        // Of each file, a byte that the newest memory has from there.
        let pieces = try saved("m3", others: ["m2", "m1", "m0"]).source.pieces
        for (number, name) in ["m3", "m2", "m1", "m0"].enumerated() {
            let offset = try #require(pieces.last { $0.file == number }).range.lowerBound + 7
            let file = try FileDescriptor(path: directory.path(name), flags: O_RDWR)
            var byte: [UInt8] = [0]
            _ = try byte.withUnsafeMutableBytes { try file.read(at: offset, into: $0) }
            try [byte[0] ^ 1].withUnsafeBytes { try file.writeAll(at: offset, $0) }
            #expect(
                try check("m3", others: ["m2", "m1", "m0"], suspects: [number])
                    == "it: the block of 64K at offset \(offset / 65536 * 65536) has other contents than those saved, in the file "
                    + "of snapshot '\(name)'; remove the snapshot; it cannot be used")
            try byte.withUnsafeBytes { try file.writeAll(at: offset, $0) }
        }
        #expect(try check("m3", others: ["m2", "m1", "m0"]) == nil)
        // A file of another size would end a process that maps it.
        try FileDescriptor(path: directory.path("m1"), flags: O_RDWR).truncate(to: 4096)
        #expect(throws: AerieError.self) {
            try restored("m3", others: ["m2", "m1", "m0"], firmware.configuration, engine: .interpret)
        }
    }
}
