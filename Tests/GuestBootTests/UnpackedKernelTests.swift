import GuestMemory
import Testing

@testable import GuestBoot

@Suite("Unpacking x86-64 kernels on the host") struct UnpackedKernelTests {
    private static let base: UInt64 = 0x100_0000
    private static let virtual: UInt64 = 0xFFFF_FFFF_8100_0000
    private static let contents = pattern(4096)
    /// Offsets of what moves: 64 bits that grow, 32 bits that shrink, 32 bits that grow.
    private static let places: [UInt64] = [0x101, 0x200, 0xFFC]

    private static func word(_ offset: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: virtual + offset) }

    /// The lists of the relocation table.
    private static let table = [0, word(places[0]), 0, word(places[1]), 0, word(places[2])]

    private func kernel(_ table: [UInt32] = table, tail: [UInt8] = [], machine: UInt16 = 62) -> [UInt8] {
        TestELF(
            machine: machine, entry: Self.base + 0x40,
            segments: [.init(at: Self.base, virtual: Self.virtual, Self.contents, memorySize: 0x2000)]
        ).encoded + table.flatMap { bytes($0) } + tail
    }

    /// Linux' builds put the size behind data that does not have it.
    private func packed(_ kernel: [UInt8]) -> [UInt8] { kernel.zstandard() + bytes(UInt32(kernel.count)) }

    private func load(
        _ payload: [UInt8], commandLine: String = "", size: UInt64 = 0x400_0000
    ) throws -> (entry: UInt64, memory: GuestMemory) {
        let memory = try GuestMemory(ranges: [(0, size)])
        let boot = try X86Boot(
            kernel: BootSource(BootItem(.kernel), bytes: bzImage(payload: payload)), initrd: nil,
            commandLine: commandLine)
        let (start, _) = try boot.load(
            memory: memory, map: [.init(base: 0, size: size, kind: .memory)], rsdp: 0xE_0000)
        guard case .long(let entry, 0x8000, 0x2000, 0x1000) = start else {
            Issue.record("\(start)")
            return (0, memory)
        }
        return (entry, memory)
    }

    @Test("With nokaslr a kernel lies as it was linked, however it was compressed, and is entered at its ELF entry")
    func fixed() throws {
        for payload in [kernel().gzipped(), packed(kernel()), packed(kernel([]))] {
            let (entry, memory) = try load(payload, commandLine: "quiet nokaslr")
            #expect(entry == Self.base + 0x40)
            #expect(try memory.bytes(at: Self.base, count: 4096) == Self.contents)
            #expect(try memory.load(UInt8.self, at: 0x8211) == 1)
        }
    }

    @Test("Otherwise its virtual addresses move by one random distance, and it is told so", arguments: [2, 3])
    func moved(lists: Int) throws {
        let table = lists == 3 ? Self.table : [0, Self.word(Self.places[0]), 0, Self.word(Self.places[2])]
        var distances: Set<UInt64> = []
        for _ in 0..<4 {
            let (entry, memory) = try load(packed(kernel(table)), commandLine: "nokaslrnot")
            #expect(entry == Self.base + 0x40)
            #expect(try memory.load(UInt8.self, at: 0x8211) == 3)
            let original: UInt64 = try #require(Self.contents.littleEndian(at: Int(Self.places[0])))
            let distance = try memory.load(UInt64.self, at: Self.base + Self.places[0]) &- original
            #expect(distance % 0x20_0000 == 0 && distance <= (1 << 30) - Self.base - 0x10_0000)
            let half = UInt32(distance)
            let shrunk: UInt32 = try #require(Self.contents.littleEndian(at: Int(Self.places[1])))
            let grown: UInt32 = try #require(Self.contents.littleEndian(at: Int(Self.places[2])))
            #expect(
                try memory.load(UInt32.self, at: Self.base + Self.places[1])
                    == (lists == 3 ? shrunk &- half : shrunk))
            #expect(try memory.load(UInt32.self, at: Self.base + Self.places[2]) == grown &+ half)
            // Nothing else changes.
            var rest = try memory.bytes(at: Self.base, count: 4096)
            for (place, count) in zip(Self.places, [8, 4, 4]) {
                let range = Int(place)..<Int(place) + count
                rest.replaceSubrange(range, with: Self.contents[range])
            }
            #expect(rest == Self.contents)
            distances.insert(distance)
        }
        // One of 503 distances each time: all four the same would be no randomness.
        #expect(distances.count > 1)
    }

    @Test("What is not understood is left to the kernel's own decompressor")
    func unknown() throws {
        let payloads = [
            // Compressed in another way, or not at all; no ELF file; tables of other forms.
            [0x5D, 0, 0] + pattern(100), pattern(100), packed(pattern(500)), packed(kernel(tail: [0])),
            packed(kernel([1] + Self.table)), packed(kernel([0] + Self.table)), packed(kernel([0])),
        ]
        for payload in payloads {
            let (entry, memory) = try load(payload)
            #expect(entry == Self.base + 0x200)
            #expect(try memory.bytes(at: Self.base, count: payload.count) == payload)
        }
    }

    private func refusal(_ payload: [UInt8], size: UInt64 = 0x400_0000) -> BootError? {
        do {
            _ = try load(payload, size: size)
            return nil
        } catch {
            return error as? BootError
        }
    }

    @Test("Damaged kernels, kernels that are too large, and those of other processors are refused")
    func hostile() throws {
        let item = BootItem(.kernel)
        var damaged = packed(kernel())
        damaged[damaged.count - 12] ^= 0x40
        guard case .corruptCompression(item, "zstd", _)? = refusal(damaged) else {
            Issue.record("\(String(describing: refusal(damaged)))")
            return
        }
        #expect(
            refusal(packed(kernel(machine: 243)))
                == .wrongArchitecture(item, found: "an ELF file for RISC-V", expected: "x86_64"))
        #expect(
            refusal([UInt8](repeating: 0, count: 0x300_0000).zstandard(), size: 0x200_0000)
                == .decompressesTooLarge(item, limit: 0x200_0000))
        for place in [Self.word(0x2000 - 7), Self.word(0x2000), Self.word(0) - 1, 0x1000, 1] {
            #expect(
                refusal(packed(kernel([0, place, 0])))
                    == .corrupt(
                        item,
                        reason: "it relocates \(hexadecimal(UInt64(bitPattern: Int64(Int32(bitPattern: place))))), "
                            + "where it is not"))
        }
    }

    @Test("A header that leads out of the file is refused, and one without a size is not looked at")
    func outside() throws {
        for (offset, size) in [(0, 0x1000_0000), (0xFFFF_FFFF, 1), (0x1000, 0xFFFF_FFFF)] as [(UInt32, UInt32)] {
            var file = bzImage(payload: packed(kernel()))
            file.put(offset, at: 0x248)
            file.put(size, at: 0x24C)
            let boot = try X86Boot(
                kernel: BootSource(BootItem(.kernel), bytes: file), initrd: nil, commandLine: "")
            let memory = try GuestMemory(ranges: [(0, 0x400_0000)])
            #expect(throws: BootError.self) { try boot.load(memory: memory, map: [], rsdp: 0) }
        }
        var file = bzImage(payload: packed(kernel()))
        file.put(UInt32(0), at: 0x24C)
        let boot = try X86Boot(kernel: BootSource(BootItem(.kernel), bytes: file), initrd: nil, commandLine: "")
        let memory = try GuestMemory(ranges: [(0, 0x400_0000)])
        let (start, _) = try boot.load(memory: memory, map: [], rsdp: 0)
        #expect(start == .long(entry: 0x100_0200, zeroPage: 0x8000, pageTable: 0x2000, descriptorTable: 0x1000))
    }
}
