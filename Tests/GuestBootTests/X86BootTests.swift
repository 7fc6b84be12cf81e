import GuestMemory
import Testing

@testable import GuestBoot

@Suite("Starting x86-64 kernels") struct X86BootTests {
    private static let map: [X86MemoryMapEntry] = [
        .init(base: 0, size: 0xA0000, kind: .memory), .init(base: 0xA0000, size: 0x60000, kind: .reserved),
        .init(base: 0x10_0000, size: 0x3F0_0000, kind: .memory),
    ]

    private func memory(_ size: UInt64 = 0x400_0000) throws -> GuestMemory { try GuestMemory(ranges: [(0, size)]) }

    private func boot(
        _ kernel: [UInt8], initrd: [UInt8]? = nil, commandLine: String = "console=ttyS0"
    ) throws -> X86Boot {
        try X86Boot(
            kernel: BootSource(BootItem(.kernel), bytes: kernel),
            initrd: initrd.map { try BootSource(BootItem(.initrd), bytes: $0) }, commandLine: commandLine)
    }

    @Test("A bzImage starts at its 64-bit entry, with every field of the zero page that the protocol asks for")
    func zeroPage() throws {
        let memory = try memory()
        let initrd = pattern(0x3001)
        let kernel = bzImage()
        let (start, _) = try boot(kernel, initrd: initrd).load(memory: memory, map: Self.map, rsdp: 0xE_0000)
        #expect(
            start == .long(entry: 0x100_0200, zeroPage: 0x8000, pageTable: 0x2000, descriptorTable: 0x1000))
        #expect(try memory.bytes(at: 0x100_0000, count: 5000) == pattern(5000))
        let page = try memory.bytes(at: 0x8000, count: 4096)
        #expect(Array(page[0x1F1..<0x210]) == Array(kernel[0x1F1..<0x210]))
        #expect(page[0x210] == 0xFF)
        #expect(page[0x211] == 1)
        #expect(page.littleEndian(at: 0x70, as: UInt64.self) == 0xE_0000)
        #expect(page.littleEndian(at: 0x218, as: UInt32.self) == 0x3FF_C000)
        #expect(page.littleEndian(at: 0x21C, as: UInt32.self) == 0x3001)
        #expect(try memory.bytes(at: 0x3FF_C000, count: 0x3001) == initrd)
        #expect(page.littleEndian(at: 0x228, as: UInt32.self) == 0x9000)
        #expect(try memory.bytes(at: 0x9000, count: 14) == Array("console=ttyS0\0".utf8))
        #expect(page.littleEndian(at: 0x258, as: UInt64.self) == 0x100_0000)
        #expect(page[0x1E8] == 3)
        #expect(page.littleEndian(at: 0x2D0 + 20, as: UInt64.self) == 0xA0000)
        #expect(page.littleEndian(at: 0x2D0 + 28, as: UInt64.self) == 0x60000)
        #expect(page.littleEndian(at: 0x2D0 + 36, as: UInt32.self) == 2)
        #expect(page[0x2D0 + 60] == 0)
        // Everything else is zero, as the protocol demands.
        let told = [0x70..<0x78, 0x1E8..<0x1E9, 0x1F1..<0x26C, 0x2D0..<0x2D0 + 60] as [Range<Int>]
        #expect(page.indices.allSatisfy { place in page[place] == 0 || told.contains { $0.contains(place) } })
    }

    @Test("A kernel with a PVH entry gets start info with every field of its structures, and no others")
    func startInfo() throws {
        var note = bytes(UInt32(4)) + bytes(UInt32(4)) + bytes(UInt32(18)) + Array("Xen\0".utf8)
        note += bytes(UInt32(0x20_0010))
        var noteSegment = TestELF.Segment(at: 0x20_0000, note)
        noteSegment.type = 4
        let elf = TestELF(
            machine: 62, entry: 0x20_0000, segments: [.init(at: 0x20_0000, pattern(256)), noteSegment])
        let memory = try memory()
        let initrd = pattern(0x1001)
        let (start, _) = try boot(elf.encoded, initrd: initrd, commandLine: "quiet").load(
            memory: memory, map: Self.map, rsdp: 0xE_0000)
        #expect(start == .protected(entry: 0x20_0010, startInfo: 0x8000, descriptorTable: 0x1000))
        var expected = bytes(UInt32(0x336E_C578)) + bytes(UInt32(1)) + bytes(UInt32(0)) + bytes(UInt32(1))
        expected += bytes(UInt64(0x8040)) + bytes(UInt64(0x9000)) + bytes(UInt64(0xE_0000)) + bytes(UInt64(0x8060))
        expected += bytes(UInt32(3)) + bytes(UInt32(0)) + [UInt8](repeating: 0, count: 8)
        // The module: address, size, no command line, and a reserved field.
        expected += bytes(UInt64(0x3FF_E000)) + bytes(UInt64(0x1001)) + bytes(UInt64(0)) + bytes(UInt64(0))
        for entry in Self.map {
            expected += bytes(entry.base) + bytes(entry.size) + bytes(entry.kind.rawValue) + bytes(UInt32(0))
        }
        #expect(try memory.bytes(at: 0x8000, count: expected.count) == expected)
        #expect(try memory.bytes(at: 0x9000, count: 6) == Array("quiet\0".utf8))
        #expect(try memory.bytes(at: 0x3FF_E000, count: 0x1001) == initrd)
    }

    @Test("The 64-bit entry finds the first 4 GiB at their own addresses, and flat segments")
    func tables() throws {
        let memory = try memory()
        _ = try boot(bzImage()).load(memory: memory, map: Self.map, rsdp: 0xE_0000)
        #expect(try memory.load(UInt64.self, at: 0x2000) == 0x3003)
        #expect(try memory.load(UInt64.self, at: 0x2008) == 0)
        #expect(try memory.load(UInt64.self, at: 0x3018) == 0x7003)
        #expect(try memory.load(UInt64.self, at: 0x3020) == 0)
        #expect(try memory.load(UInt64.self, at: 0x4008) == 0x20_0083)
        #expect(try memory.load(UInt64.self, at: 0x7FF8) == 0xFFE0_0083)
        #expect(try memory.load(UInt64.self, at: 0x1010) == 0x00AF_9B00_0000_FFFF)
        #expect(try memory.load(UInt64.self, at: 0x1018) == 0x00CF_9300_0000_FFFF)
    }

    @Test("Kernels without a 64-bit entry are refused as what they are")
    func oldKernels() throws {
        for kernel in [bzImage(flags: 0), bzImage(version: 0x20B)] {
            #expect(
                throws: BootError.wrongArchitecture(
                    BootItem(.kernel), found: "a 32-bit x86 bzImage", expected: "x86_64")
            ) {
                try boot(kernel).load(memory: memory(), map: Self.map, rsdp: 0)
            }
        }
    }

    @Test("A kernel that does not fit, one that wants a shorter command line, and a damaged one are refused")
    func refusals() throws {
        #expect(throws: BootError.self) {
            try boot(bzImage(address: 0x3FF_F000)).load(memory: memory(), map: Self.map, rsdp: 0)
        }
        #expect(throws: BootError.self) {
            try boot(bzImage(address: .max)).load(memory: memory(), map: Self.map, rsdp: 0)
        }
        #expect(throws: BootError.self) {
            try boot(bzImage(), commandLine: String(repeating: "x", count: 2048))
                .load(memory: memory(), map: Self.map, rsdp: 0)
        }
        for count in [0x202, 0x240, 0x600] {
            #expect(throws: BootError.self) {
                try boot(Array(bzImage().prefix(count))).load(memory: memory(), map: Self.map, rsdp: 0)
            }
        }
        #expect(throws: BootError.nothingToBoot) { _ = try X86Boot(kernel: nil, initrd: nil, commandLine: "") }
    }

    @Test("An ELF kernel without a PVH entry is refused, and one for another processor is named")
    func elfKernels() throws {
        var elf = [UInt8](repeating: 0, count: 64 + 56 + 16)
        elf.replaceSubrange(0..<7, with: [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1])
        elf.put(2 as UInt16, at: 16)
        elf.put(62 as UInt16, at: 18)
        elf.put(64 as UInt64, at: 32)
        elf.put(56 as UInt16, at: 54)
        elf.put(1 as UInt16, at: 56)
        elf.put(1 as UInt32, at: 64)
        elf.put(120 as UInt64, at: 72)
        elf.put(0x20_0000 as UInt64, at: 88)
        elf.put(16 as UInt64, at: 96)
        elf.put(16 as UInt64, at: 104)
        #expect(
            throws: BootError.corrupt(
                BootItem(.kernel), reason: "an ELF kernel without the note of a PVH entry")
        ) {
            try boot(elf).load(memory: memory(), map: Self.map, rsdp: 0)
        }
        elf.put(3 as UInt16, at: 18)
        elf[4] = 1
        #expect(
            throws: BootError.wrongArchitecture(
                BootItem(.kernel), found: "a 32-bit ELF file for i386", expected: "x86_64")
        ) {
            try boot(elf).load(memory: memory(), map: Self.map, rsdp: 0)
        }
    }
}
