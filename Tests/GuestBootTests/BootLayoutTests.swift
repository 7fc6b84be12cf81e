import Glibc
import GuestBoot
import GuestMemory
import GuestToolchain
import Testing

@Suite struct BootLayoutTests {
    private func supervisor(_ start: RISCVStart) throws -> (entry: UInt64, deviceTree: UInt64) {
        guard case .supervisor(let entry, let deviceTree) = start else { throw BootError.nothingToBoot }
        return (entry, deviceTree)
    }

    private func tree(at address: UInt64, in memory: GuestMemory) throws -> DeviceTree {
        let size = try memory.load(UInt32.self, at: address + 4).byteSwapped
        return try DeviceTree(blob: memory.bytes(at: address, count: Int(size)))
    }

    @Test func theDeviceTreeIsAtTheTopAndTheInitrdBelowIt() throws {
        let memory = try makeMemory()
        let initrd = pattern(10_000)
        var board = DeviceTree()
        board.root.update("chosen") { $0.set("stdout-path", string: "/soc/serial@10000000") }
        let (start, placements) = try load(
            kernel: flatImage(imageSize: 0x10_0000), initrd: initrd, commandLine: "console=ttyS0 quiet",
            memory: memory, deviceTree: board)
        let address = try supervisor(start).deviceTree
        #expect(placements.map(\.item.role) == [.kernel, .deviceTree, .initrd])
        #expect(placements[0].address == dram + 0x20_0000)
        #expect(placements[0].size == 0x10_0000)
        // Room for 64 KiB of additions is kept above the tree.
        #expect(address == dram + 8 * mebibyte - 0x1_1000)
        #expect(placements[2].address == address - 0x3000)
        #expect(try memory.bytes(at: placements[2].address, count: initrd.count) == initrd)
        // A boot loader that copies the tree by its size can add properties: 4 KiB behind the strings are its own.
        let fields = try [4, 12, 32].map { try memory.load(UInt32.self, at: address + $0).byteSwapped }
        #expect(fields[0] == fields[1] + fields[2] + 0x1000)
        let chosen = try #require(try tree(at: address, in: memory).node("/chosen"))
        #expect(chosen.string("stdout-path") == "/soc/serial@10000000")
        #expect(chosen.string("bootargs") == "console=ttyS0 quiet")
        #expect(chosen.cells("linux,initrd-start") == [0, UInt32(placements[2].address)])
        #expect(chosen.cells("linux,initrd-end") == [0, UInt32(placements[2].address) + 10_000])
    }

    @Test func withoutCommandLineAndInitrdTheBoardsTreeIsKept() throws {
        let memory = try makeMemory()
        var board = DeviceTree()
        board.root.update("chosen") { $0.set("bootargs", string: "from the board") }
        let (start, _) = try load(kernel: flatImage(), memory: memory, deviceTree: board)
        #expect(try tree(at: try supervisor(start).deviceTree, in: memory) == board)
    }

    @Test func inLargeMemoryInitrdAndDeviceTreeStayBelow3GiB() throws {
        // Reserved, not used: the host provides pages as they are touched.
        let memory = try makeMemory(1536 * mebibyte)
        let (start, placements) = try load(kernel: flatImage(), initrd: pattern(100), memory: memory)
        #expect(try supervisor(start).deviceTree == 0xC000_0000 - 0x1_1000)
        #expect(placements[2].address == 0xC000_0000 - 0x1_2000)
    }

    @Test func anInitrdWithoutRoomBelow3GiBGoesToTheTopOfMemory() throws {
        let memory = try makeMemory(1536 * mebibyte)
        let initrd = pattern(3 << 20)
        let (_, placements) = try load(kernel: flatImage(imageSize: 1021 * mebibyte), initrd: initrd, memory: memory)
        #expect(placements[1].address == 0xC000_0000 - 0x1_1000)
        #expect(placements[2].address == 0xE000_0000 - 3 * mebibyte)
    }

    @Test func memoryBelowTheKernelIsTheLastResort() throws {
        // 1 MiB above the kernel has the device tree; the initrd does not fit there.
        let (_, placements) = try load(
            kernel: flatImage(imageSize: 5 * mebibyte), initrd: pattern(1 << 20), memory: makeMemory())
        #expect(placements[2].address == dram + mebibyte)
    }

    @Test func aMachineSmallerThanTheKernelsOffsetBootsAFirmware() throws {
        let (_, placements) = try load(firmware: pattern(100), memory: makeMemory(mebibyte))
        #expect(placements[1].address == dram + mebibyte - 0x1_1000)
    }

    @Test func initrdAndDeviceTreeGoAroundAKernelAtTheTop() throws {
        let memory = try makeMemory()
        let top = dram + 8 * mebibyte - 0x1000
        let elf = TestELF(entry: top, segments: [.init(at: top, pattern(0x1000))])
        let (start, placements) = try load(kernel: elf.encoded, initrd: pattern(5), memory: memory)
        #expect(try supervisor(start) == (top, top - 0x1_1000))
        #expect(placements[2].address == top - 0x1_2000)
    }

    @Test func aKernelThatDoesNotFitIsRefusedWithAllNumbers() throws {
        let error = try #require(try refusal(kernel: flatImage(imageSize: 34 * mebibyte), memory: 16 * mebibyte))
        #expect(
            error.description
                == "kernel k: it needs 34 MiB at 0x80200000 and the guest has 16 MiB; give it more with --memory")
    }

    @Test func aKernelForAnAddressOutsideOfMemoryIsToldWhereMemoryIs() {
        let item = BootItem(.kernel, "k")
        let memory: Range<UInt64> = 0x8000_0000..<0x8080_0000
        #expect(
            BootError.outsideMemory(item, address: 0x1000, memory: memory).description
                == "kernel k: it belongs at 0x1000, and the guest's memory is from 0x80000000 to 0x807fffff; "
                + "link it for an address there")
        #expect(
            BootError.outsideMemory(item, address: 0x9000_0000, memory: memory).description
                == "kernel k: it belongs at 0x90000000, and the guest's memory is from 0x80000000 to 0x807fffff; "
                + "link it for an address there, or give the guest more with --memory")
    }

    @Test func anInitrdThatDoesNotFitIsRefused() throws {
        let item = BootItem(.initrd, "i")
        let error = try #require(try refusal(kernel: flatImage(), initrd: pattern(6 << 20)))
        #expect(error == .doesNotFit(item, size: 6 * mebibyte, address: nil, memory: 8 * mebibyte))
        #expect(
            error.description
                == "initrd i: it needs 6 MiB and the guest's 8 MiB have no such gap left; give it more with --memory")
    }

    @Test func aDeviceTreeThatDoesNotFitIsRefused() throws {
        let error = try refusal(kernel: flatImage(textOffset: 0), memory: 0x1_0000)
        guard case .doesNotFit(BootItem(.deviceTree), _, nil, 0x1_0000) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func aRawFirmwareStartsFromTheROMWithTheKernelAboveIt() throws {
        let memory = try makeMemory()
        let firmware = pattern(70_000)
        let (start, placements) = try load(kernel: flatImage(), firmware: firmware, memory: memory)
        guard case .machine(let rom, let entry, let deviceTree) = start else {
            Issue.record("not a machine start")
            return
        }
        #expect(entry == dram)
        #expect(placements.map(\.address) == [dram, dram + 0x20_0000, deviceTree])
        #expect(try memory.bytes(at: dram, count: firmware.count) == firmware)
        let words: [UInt64] = [dram, deviceTree, 0x4942_534F, 2, dram + 0x20_0000, 1, 0, 0]
        #expect(Array(rom[24...]) == words.flatMap { bytes($0) })
        #expect(
            Array(rom[..<24])
                == [0x0000_0297, 0xF140_2573, 0x0202_B583, 0x0282_8613, 0x0182_B303, 0x0003_0067]
                .flatMap { bytes($0 as UInt32) })
    }

    @Test func anELFFirmwareStartsAtItsEntry() throws {
        let memory = try makeMemory()
        let linked = TestELF(entry: dram + 0x1004, segments: [.init(at: dram + 0x1000, pattern(64))])
        guard case .machine(_, let entry, _) = try load(firmware: linked.encoded, memory: memory).start else {
            Issue.record("not a machine start")
            return
        }
        #expect(entry == dram + 0x1004)
        // OpenSBI since 1.6 is linked at 0.
        let independent = TestELF(type: 3, entry: 0, segments: [.init(at: 0, pattern(64))])
        let (start, placements) = try load(firmware: independent.encoded, memory: memory)
        guard case .machine(let rom, dram, let deviceTree) = start else {
            Issue.record("not a machine start at the bottom of DRAM")
            return
        }
        #expect(placements[0] == BootPlacement(item: firmwareItem, address: dram, size: 64))
        // Without a kernel the firmware still learns where one belongs.
        #expect(rom == RISCVResetVector.contents(firmware: dram, deviceTree: deviceTree, next: dram + 0x20_0000))
    }

    @Test func firmwareAndKernelMayNotOverlap() throws {
        let big = pattern(0x20_0001)
        #expect(
            try refusal(kernel: flatImage(), firmware: big)
                == .overlaps(kernelItem, other: "firmware f", address: dram + 0x20_0000))
        let kernel = TestELF(entry: dram, segments: [.init(at: dram, [1, 2, 3])])
        let error = try #require(try refusal(kernel: kernel.encoded, firmware: pattern(4)))
        #expect(
            error.description
                == "kernel k: it belongs at 0x80000000, where firmware f already is; link it for another address")
    }

    @Test func aFirmwareForAnotherMachineOrCompressedIsRefused() throws {
        var elf = TestELF(entry: dram, segments: [.init(at: dram, [1])])
        elf.machine = 183
        #expect(
            try refusal(firmware: elf.encoded)
                == .wrongArchitecture(firmwareItem, found: "an ELF file for aarch64", expected: "riscv64"))
        #expect(
            try refusal(firmware: pattern(10).gzipped()) == .unsupportedCompression(firmwareItem, method: "gzip"))
    }

    @Test func loadingAgainRestoresWhatTheGuestOverwrote() throws {
        let memory = try makeMemory()
        let image = flatImage()
        let directory = TemporaryDirectory()
        let file = try directory.file("Image", image)
        let boot = try RISCVBoot(kernel: file)
        let first = try boot.load(memory: memory, deviceTree: DeviceTree())
        try memory.write([UInt8](repeating: 0xEE, count: 2000), at: dram + 0x20_0000)
        // The file may be out of reach by then.
        unlink(file)
        let second = try boot.load(memory: memory, deviceTree: DeviceTree())
        #expect(first.start == second.start)
        #expect(first.placements == second.placements)
        #expect(try memory.bytes(at: dram + 0x20_0000, count: image.count) == image)
    }

    @Test func filesThatCannotBeUsedAreNamed() throws {
        #expect(throws: BootError.nothingToBoot) { try RISCVBoot(kernel: nil as String?) }
        #expect(throws: BootError.missing(BootItem(.kernel, "/nowhere/k"))) { try RISCVBoot(kernel: "/nowhere/k") }
        #expect(throws: BootError.notAFile(BootItem(.kernel, "/tmp"))) { try RISCVBoot(kernel: "/tmp") }
        #expect(throws: BootError.notAFile(BootItem(.firmware, "/dev/null"))) {
            try RISCVBoot(kernel: nil, firmware: "/dev/null")
        }
        let directory = TemporaryDirectory()
        let empty = try directory.file("empty", [])
        let kernel = try directory.file("kernel", [1])
        #expect(throws: BootError.empty(BootItem(.initrd, empty))) {
            try RISCVBoot(kernel: kernel, initrd: empty)
        }
        #expect(
            BootError.missing(BootItem(.kernel, "v")).description == "kernel v: the file does not exist; check the path"
        )
    }

    @Test func aFileCutAfterItWasOpenedIsTruncated() throws {
        let directory = TemporaryDirectory()
        let file = try directory.file("Image", flatImage())
        let boot = try RISCVBoot(kernel: file)
        #expect(truncate(file, 500) == 0)
        #expect(throws: BootError.truncated(BootItem(.kernel, file), needed: 1064, found: 500)) {
            try boot.load(memory: makeMemory(), deviceTree: DeviceTree())
        }
    }

    @Test func rawCodeGoesWhereKernelsBegin() throws {
        let memory = try makeMemory()
        // As U-Boot begins: csrr tp, mhartid.
        let code = [0x73, 0x22, 0x40, 0xF1] + pattern(100_001)
        let (start, placements) = try load(kernel: code, memory: memory)
        #expect(try supervisor(start).entry == dram + 0x20_0000)
        #expect(placements[0].size == 100_005)
        #expect(try memory.bytes(at: dram + 0x20_0000, count: code.count) == code)
        #expect(
            try refusal(kernel: code, memory: 2 * mebibyte)
                == .outsideMemory(
                    kernelItem, address: dram + 0x20_0000, memory: dram..<dram + 2 * mebibyte))
    }

    @Test func aCommandLineThatLinuxWouldCutOffIsRefused() throws {
        let longest = String(repeating: "x", count: 1023)
        _ = try load(kernel: flatImage(), commandLine: longest, memory: makeMemory())
        #expect(throws: BootError.badCommandLine(reason: "1024 bytes are more than the 1023 that Linux keeps")) {
            try load(kernel: flatImage().gzipped(), commandLine: longest + "x", memory: makeMemory())
        }
        // Another kernel gets it whole.
        let memory = try makeMemory()
        let (start, _) = try load(kernel: [0x73, 0x22, 0x40, 0xF1], commandLine: longest + "x", memory: memory)
        let chosen = try #require(try tree(at: try supervisor(start).deviceTree, in: memory).node("/chosen"))
        #expect(chosen.string("bootargs") == longest + "x")
    }

    @Test func aCommandLineIsBounded() throws {
        let directory = TemporaryDirectory()
        let file = try directory.file("Image", flatImage())
        _ = try RISCVBoot(kernel: file, commandLine: String(repeating: "x", count: 4096))
        #expect(throws: BootError.badCommandLine(reason: "4097 bytes are more than the 4096 allowed")) {
            try RISCVBoot(kernel: file, commandLine: String(repeating: "x", count: 4097))
        }
        #expect(throws: BootError.badCommandLine(reason: "a zero byte is in it")) {
            try RISCVBoot(kernel: file, commandLine: "a\0b")
        }
    }
}
