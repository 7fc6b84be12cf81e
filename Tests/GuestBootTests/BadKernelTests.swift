import GuestBoot
import GuestMemory
import TestSupport
import Testing

@Suite struct BadKernelTests {
    @Test func whatIsMadeForAnotherMachineIsNamed() throws {
        var bzImage = [UInt8](repeating: 0, count: 0x300)
        bzImage.replaceSubrange(0x1FE..<0x206, with: [0x55, 0xAA, 0xEB, 0x66] + Array("HdrS".utf8))
        var arm64 = [UInt8](repeating: 0, count: 64)
        arm64.replaceSubrange(56..<60, with: Array("ARMd".utf8))
        var elf = TestELF(entry: dram, segments: [.init(at: dram, [1])])
        elf.machine = 62
        var elf32 = elf.encoded
        elf32.put(UInt16(243), at: 18)
        elf32[4] = 1
        var bigEndian = elf.encoded
        bigEndian.put(UInt16(22).byteSwapped, at: 18)
        bigEndian[5] = 2
        let efi = zboot(flatImage().gzipped(), compression: "gzip", machine: 0xAA64)
        let cases: [([UInt8], String)] = [
            (bzImage, "an x86 bzImage"), (arm64, "an arm64 Image"), (arm64.gzipped(), "an arm64 Image"),
            (elf.encoded, "an ELF file for x86_64"), (elf32, "a 32-bit ELF file for RISC-V"),
            (bigEndian, "a big-endian ELF file for s390x"), (efi, "an EFI program for aarch64"),
            (flatImage(flags: 1), "a big-endian RISC-V Image"),
        ]
        for (kernel, found) in cases {
            #expect(
                try refusal(kernel: kernel) == .wrongArchitecture(kernelItem, found: found, expected: "riscv64"))
        }
    }

    @Test func otherCompressionIsNamed() throws {
        let magics: [(String, [UInt8])] = [
            ("xz", [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0]), ("bzip2", Array("BZh9".utf8)), ("lzma", [0x5D, 0, 0, 0, 4]),
            ("lzo", [0x89, 0x4C, 0x5A, 0x4F]), ("lz4", [2, 0x21, 0x4C, 0x18]), ("lz4", [4, 0x22, 0x4D, 0x18]),
        ]
        for (method, magic) in magics {
            #expect(
                try refusal(kernel: magic + pattern(100)) == .unsupportedCompression(kernelItem, method: method))
        }
        for (name, method) in [("lzma", "lzma"), ("xzkern", "xz"), ("brotli", "brotli")] {
            #expect(
                try refusal(kernel: zboot(pattern(100), compression: name))
                    == .unsupportedCompression(kernelItem, method: method))
        }
    }

    @Test func damagedCompressionIsNoticed() throws {
        let image = flatImage(payload: 5000)
        var gzip = image.gzipped()
        gzip[gzip.count - 6] ^= 1
        #expect(
            try refusal(kernel: gzip)
                == .corruptCompression(kernelItem, method: "gzip", reason: "incorrect data check"))
        var zstd = image.zstandard()
        zstd[zstd.count - 1] ^= 1
        #expect(
            try refusal(kernel: zstd)
                == .corruptCompression(
                    kernelItem, method: "zstd", reason: "Restored data doesn't match checksum"))
    }

    @Test func whatIsNoKernelIsRefused() throws {
        // Less than an instruction, and the two encodings that are illegal for ever.
        for kernel in [[0x13], [0, 0, 1, 2], [0xFF, 0xFF, 1, 2]] as [[UInt8]] {
            #expect(try refusal(kernel: kernel) == .unknownFormat(kernelItem))
        }
        // A Debian package, which is binary behind its first line; compressed code without a header.
        let archive = "!<arch>\ndebian-binary   1410122664  0     0     100644  4         `\n2.0\n"
        #expect(try refusal(kernel: Array(archive.utf8) + pattern(1000)) == .unknownFormat(kernelItem))
        #expect(try refusal(kernel: pattern(1000).gzipped()) == .unknownFormat(kernelItem))
        #expect(try refusal(kernel: Array("#!/bin/sh\n".utf8)) == .unknownFormat(kernelItem))
        #expect(try refusal(kernel: [UInt8]().gzipped()) == .empty(kernelItem))
        #expect(try refusal(kernel: [UInt8]().zstandard()) == .empty(kernelItem))
    }

    @Test func bombsEndAtTheGuestsMemory() throws {
        let zeros = [UInt8](repeating: 0, count: Int(32 * mebibyte))
        let error = BootError.decompressesTooLarge(kernelItem, limit: 8 * mebibyte)
        #expect(try refusal(kernel: zeros.gzipped()) == error)
        #expect(try refusal(kernel: zeros.zstandard()) == error)
        #expect(try refusal(kernel: zboot(zeros.zstandard(), compression: "zstd")) == error)
    }

    @Test(arguments: [0x20_0001, 0x20_0800, 1 << 62 | 1, .max] as [UInt64])
    func aTextOffsetThatIsNoWholePageIsRefused(textOffset: UInt64) throws {
        let text = "its text offset 0x\(String(textOffset, radix: 16)) is not a multiple of 4096"
        #expect(try refusal(kernel: flatImage(textOffset: textOffset)) == .corrupt(kernelItem, reason: text))
    }

    @Test func hostileSizesOfAFlatImageAreRefused() throws {
        let address = dram + 0x20_0000
        for size in [8 * mebibyte, 1 << 40, 1 << 63, UInt64.max - 4095, UInt64.max] {
            #expect(
                try refusal(kernel: flatImage(imageSize: size))
                    == .doesNotFit(kernelItem, size: size, address: address, memory: 8 * mebibyte))
        }
        // The size is not less than the file's, whatever the header says.
        #expect(
            try refusal(kernel: flatImage(imageSize: 1, payload: 6 << 20))
                == .doesNotFit(kernelItem, size: 6 * mebibyte + 64, address: address, memory: 8 * mebibyte))
        let far = UInt64.max - 4095
        #expect(
            try refusal(kernel: flatImage(textOffset: far))
                == .corrupt(kernelItem, reason: "its text offset is 0x\(String(far, radix: 16))"))
    }

    @Test func hostileELFSegmentsAreRefused() throws {
        func refusal(_ change: (inout TestELF.Segment) -> Void) throws -> BootError? {
            var elf = TestELF(entry: dram, segments: [.init(at: dram, pattern(64))])
            change(&elf.segments[0])
            return try GuestBootTests.refusal(kernel: elf.encoded)
        }
        let size = UInt64(64 + 56 + 64)
        #expect(try refusal { $0.fileOffset = 121 } == .truncated(kernelItem, needed: 185, found: size))
        #expect(
            try refusal { $0.fileOffset = .max }
                == .corrupt(kernelItem, reason: "64 bytes at offset 0xffffffffffffffff are beyond any file"))
        #expect(
            try refusal { $0.fileSize = 65 }
                == .corrupt(kernelItem, reason: "an ELF segment is larger in the file than in memory"))
        #expect(
            try refusal { $0.memorySize = .max }
                == .corrupt(kernelItem, reason: "an ELF segment at 0x80000000 wraps around"))
        #expect(
            try refusal { $0.memorySize = 8 * mebibyte + 1 }
                == .doesNotFit(kernelItem, size: 8 * mebibyte + 1, address: dram, memory: 8 * mebibyte))
        #expect(
            try refusal { $0.physical = 0x1000 }
                == .outsideMemory(kernelItem, address: 0x1000, memory: dram..<dram + 8 * mebibyte))
        #expect(
            try refusal { $0.memorySize = 0 }
                == .corrupt(kernelItem, reason: "an ELF file without loadable segments"))
    }

    @Test func hostileELFHeadersAreRefused() throws {
        let elf = TestELF(entry: dram, segments: [.init(at: dram, pattern(64))])
        func refusal(_ change: (inout [UInt8]) -> Void) throws -> BootError? {
            var file = elf.encoded
            change(&file)
            return try GuestBootTests.refusal(kernel: file)
        }
        #expect(
            try refusal { $0.put(UInt16.max, at: 56) }
                == .corrupt(kernelItem, reason: "65535 ELF program headers of 56 bytes"))
        #expect(
            try refusal { $0.put(UInt16(32), at: 54) }
                == .corrupt(kernelItem, reason: "1 ELF program headers of 32 bytes"))
        #expect(try refusal { $0.put(UInt16(200), at: 56) } == .truncated(kernelItem, needed: 11264, found: 184))
        #expect(
            try refusal { $0.put(UInt64.max - 10, at: 32) }
                == .corrupt(kernelItem, reason: "56 bytes at offset 0xfffffffffffffff5 are beyond any file"))
        #expect(
            try refusal { $0.put(UInt16(1), at: 16) }
                == .corrupt(kernelItem, reason: "an ELF file of type 1, not an executable"))
        #expect(
            try refusal { $0.put(dram + 64, at: 24) }
                == .corrupt(kernelItem, reason: "the entry point 0x80000040 lies in no segment"))
    }

    @Test func overlappingSegmentsAreRefused() throws {
        let elf = TestELF(
            entry: dram, segments: [.init(at: dram + 63, pattern(64)), .init(at: dram, pattern(64))])
        #expect(
            try refusal(kernel: elf.encoded)
                == .overlaps(kernelItem, other: "another of its segments", address: dram + 63))
    }

    @Test func everyTruncationOfEveryFormatIsRefused() throws {
        let image = flatImage(imageSize: 0x2000, payload: 300)
        let elf = TestELF(entry: dram, segments: [.init(at: dram, pattern(100))])
        let files = [
            elf.encoded, image.gzipped(), image.zstandard(), zboot(image.gzipped(), compression: "gzip"),
            zboot(image.zstandard(), compression: "zstd"),
        ]
        let memory = try makeMemory()
        // Of raw code everything is a whole; a file that ends before its magic number does is taken for it.
        for file in files {
            for count in [0, 1] + Array(8..<file.count) {
                #expect(throws: BootError.self, "\(count)") { try load(kernel: Array(file[..<count]), memory: memory) }
            }
        }
        // A flat Image does not say how long its file is; its header must be whole, from its magic number at 56 on.
        for count in 60..<64 {
            #expect(throws: BootError.self) { try load(kernel: Array(image[..<count]), memory: memory) }
        }
    }

    @Test func mutatedFilesAreRefusedOrLoadedInsideOfMemory() throws {
        var random = SeededGenerator(seed: 2024)
        let image = flatImage(imageSize: 0x2000, payload: 300)
        let elf = TestELF(
            entry: dram, segments: [.init(at: dram, pattern(100)), .init(at: dram + 0x1000, pattern(50))])
        let originals = [
            image, elf.encoded, image.gzipped(), image.zstandard(), zboot(image.gzipped(), compression: "gzip"),
        ]
        let memory = try makeMemory()
        let end = dram + memory.size
        for original in originals {
            var loaded = 0
            for _ in 0..<1500 {
                let file = mutated(original, &random)
                do {
                    let placements = try load(kernel: file, memory: memory).placements
                    let isInside = placements.allSatisfy { $0.address >= dram && $0.size <= end - $0.address }
                    #expect(isInside, "\(file)")
                    loaded += 1
                } catch {
                    #expect(error is BootError)
                }
            }
            // Otherwise the mutations would be too crude to reach past the headers' checks.
            #expect(loaded > 0)
        }
    }
}

/// A copy with one to four changes: bits, bytes, extreme integers, or a cut.
func mutated(_ original: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
    var bytes = original
    for _ in 0..<Int.random(in: 1...4, using: &random) where bytes.count > 8 {
        let offset = Int.random(in: 0..<bytes.count - 8, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes[offset] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: bytes[offset] = UInt8.random(in: 0...255, using: &random)
        case 2: bytes.put([0, 1, .max, .max / 2, 1 << 31].randomElement(using: &random)! as UInt32, at: offset & ~3)
        case 3: bytes.put([0, .max, 1 << 63, .max - 4095].randomElement(using: &random)! as UInt64, at: offset & ~7)
        default:
            if Int.random(in: 0..<8, using: &random) == 0 { bytes.removeLast(bytes.count - offset) }
        }
    }
    return bytes
}
