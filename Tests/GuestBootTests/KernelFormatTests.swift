import GuestBoot
import GuestMemory
import TestSupport
import Testing

@Suite struct KernelFormatTests {
    private let address = dram + 0x20_0000

    /// Loads a kernel and returns where it starts, and what stands at that place.
    private func entry(_ kernel: [UInt8], count: Int, memory size: UInt64 = 8 * mebibyte) throws -> (UInt64, [UInt8]) {
        let memory = try makeMemory(size)
        let (start, _) = try load(kernel: kernel, memory: memory)
        guard case .supervisor(let entry, _) = start else { throw BootError.nothingToBoot }
        return (entry, try memory.bytes(at: entry, count: count))
    }

    @Test func aFlatImageIsLoadedAtItsTextOffset() throws {
        let image = flatImage()
        let (entry, contents) = try entry(image, count: image.count)
        #expect(entry == address)
        #expect(contents == image)
        let low = flatImage(textOffset: 0)
        #expect(try self.entry(low, count: low.count) == (dram, low))
    }

    @Test func aCompressedImageIsLoadedAsTheImageIs() throws {
        // Larger than the decoders' chunks of 128 and 256 KiB, so that data crosses them.
        let image = flatImage(payload: 700_000)
        let gzip = image.gzipped()
        let zstd = image.zstandard()
        for file in [gzip, zstd, zboot(gzip, compression: "gzip"), zboot(zstd, compression: "zstd")] {
            let (entry, contents) = try entry(file, count: image.count)
            #expect(entry == address)
            #expect(contents == image)
        }
    }

    @Test func incompressibleDataThatFillsChunksExactlyIsLoaded() throws {
        var random = SeededGenerator(seed: 3)
        for size in [1 << 17, 1 << 18, 1 << 19] {
            var image = flatImage(payload: size - 64)
            for index in 64..<image.count { image[index] = UInt8(truncatingIfNeeded: random.next()) }
            #expect(try entry(image.gzipped(), count: image.count) == (address, image))
            #expect(try entry(image.zstandard(), count: image.count) == (address, image))
        }
    }

    @Test func membersAndFramesInARowAreOneImageAndWhatFollowsIsIgnored() throws {
        let image = flatImage(payload: 5000)
        let head = Array(image[..<2000])
        let tail = Array(image[2000...])
        for trailer: [UInt8] in [[], [0], bytes(UInt32(5064))] {
            let gzip = head.gzipped() + tail.gzipped() + trailer
            #expect(try entry(gzip, count: image.count) == (address, image))
            let zstd = head.zstandard() + tail.zstandard() + trailer
            #expect(try entry(zstd, count: image.count) == (address, image))
        }
    }

    @Test func aCompressedZbootImageIsLoadedAndDeeperNestingIsRefused() throws {
        let image = flatImage()
        let once = zboot(image.gzipped(), compression: "gzip").gzipped()
        #expect(try entry(once, count: image.count) == (address, image))
        #expect(
            try refusal(kernel: image.gzipped().gzipped().gzipped())
                == .corrupt(kernelItem, reason: "it is compressed again and again"))
    }

    @Test func anELFFileIsLoadedAtItsPhysicalAddressesWithItsRestCleared() throws {
        let code = pattern(300)
        let data = pattern(77)
        let elf = TestELF(
            entry: dram + 0x10_0010,
            segments: [.init(at: dram + 0x30_0000, data, memorySize: 0x5000), .init(at: dram + 0x10_0000, code)])
        let memory = try makeMemory()
        try memory.write([UInt8](repeating: 0xFF, count: 0x6000), at: dram + 0x30_0000)
        let (start, placements) = try load(kernel: elf.encoded, memory: memory)
        guard case .supervisor(let entry, _) = start else {
            Issue.record("not a supervisor start")
            return
        }
        #expect(entry == dram + 0x10_0010)
        #expect(try memory.bytes(at: dram + 0x10_0000, count: 300) == code)
        #expect(
            try memory.bytes(at: dram + 0x30_0000, count: 0x5000) == data + [UInt8](repeating: 0, count: 0x5000 - 77))
        #expect(try memory.load(UInt8.self, at: dram + 0x30_5000) == 0xFF)
        #expect(
            placements.prefix(2) == [
                BootPlacement(item: kernelItem, address: dram + 0x10_0000, size: 300),
                BootPlacement(item: kernelItem, address: dram + 0x30_0000, size: 0x5000),
            ])
    }

    @Test func anELFKernelOfTheUpperHalfGoesToTheKernelsPlace() throws {
        let code = pattern(64)
        let virtual: UInt64 = 0xFFFF_FFFF_8000_0000
        // Physical addresses from 0 on, as Linux links it; equal to the virtual ones; and as they are in memory.
        for (physical, expected) in [(0, address), (virtual, address), (dram + 0x10_0000, dram + 0x10_0000)] {
            let elf = TestELF(
                entry: virtual + 0x1008,
                segments: [
                    .init(at: physical, virtual: virtual, [1, 2, 3, 4]),
                    .init(at: physical + 0x1000, virtual: virtual + 0x1000, code),
                ])
            let (entry, contents) = try entry(elf.encoded, count: 56)
            #expect(entry == expected + 0x1008)
            #expect(contents == Array(code[8...]))
        }
    }

    @Test func aPhysicalEntryOfAKernelLinkedVirtualIsKept() throws {
        let elf = TestELF(
            entry: dram + 0x20, segments: [.init(at: dram, virtual: 0xFFFF_FFC0_0000_0000, pattern(64))])
        #expect(try entry(elf.encoded, count: 4).0 == dram + 0x20)
    }

    @Test func aPositionIndependentELFGoesToTheKernelsPlaceUnlessItFitsAsLinked() throws {
        var elf = TestELF(type: 3, entry: 4, segments: [.init(at: 0, pattern(64))])
        #expect(try entry(elf.encoded, count: 8) == (address + 4, Array(pattern(64)[4..<12])))
        elf = TestELF(type: 3, entry: dram, segments: [.init(at: dram, pattern(64))])
        #expect(try entry(elf.encoded, count: 8).0 == dram)
    }

    @Test func aCompressedELFFileIsLoaded() throws {
        let elf = TestELF(entry: dram, segments: [.init(at: dram, pattern(64))])
        #expect(try entry(elf.encoded.zstandard(), count: 64) == (dram, pattern(64)))
    }

    @Test func segmentsThatAreEmptyOrOfAnotherKindAreSkipped() throws {
        var note = TestELF.Segment(at: .max - 3, [9])
        note.type = 4
        let elf = TestELF(
            entry: dram, segments: [note, .init(at: .max, [], memorySize: 0), .init(at: dram, pattern(64))])
        #expect(try entry(elf.encoded, count: 64) == (dram, pattern(64)))
    }
}
