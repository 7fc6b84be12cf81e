import GuestToolchain
import Testing

@testable import RISCV

/// Instructions of extensions on harts with and without them, on every engine.
@Suite struct ExtensionTests {
    /// Instructions that raise no exception in M-mode: rd is x0, a1 (11) and a2 (12) or s0 (8) are operands. Encodings from the specification's chapters.
    private static let instructions: [(part: Extension, bits: [UInt32])] = [
        (.zicbom, [0x0004_200F, 0x0014_200F, 0x0024_200F]), (.zicboz, [0x0044_200F]),
        // csrr x0 of cycle, time, instret; of hpmcounter3 and hpmcounter31; of stimecmp.
        (.zicntr, [0xC000_2073, 0xC010_2073, 0xC020_2073]), (.zihpm, [0xC030_2073, 0xC1F0_2073]),
        (.sstc, [0x14D0_2073]), (.zicond, [0x0EC5_D033, 0x0EC5_F033]), (.zawrs, [0x00D0_0073, 0x01D0_0073]),
        (.zfhmin, zfhmin), (.zba, zba), (.zbb, zbb), (.zbs, zbs),
        (.svinval, [0x1600_0073, 0x1800_0073, 0x1810_0073]),
    ]

    // Most of these write f0, and fsh the case's memory.
    private static let zfhmin: [UInt32] = [
        0xE400_8053, 0x0404_1007, 0x0404_1027, 0x4020_0053, 0x4220_0053, 0x4400_0053, 0x4410_0053, 0xF400_0053,
    ]
    private static let zba: [UInt32] = [
        0x08C5_803B, 0x20C5_A033, 0x20C5_C033, 0x20C5_E033, 0x20C5_A03B, 0x20C5_C03B, 0x20C5_E03B, 0x0835_901B,
    ]
    private static let zbb: [UInt32] = [
        0x40C5_F033, 0x40C5_E033, 0x40C5_C033, 0x6005_9013, 0x6015_9013, 0x6025_9013, 0x6005_901B, 0x6015_901B,
        0x6025_901B, 0x0AC5_E033, 0x0AC5_F033, 0x0AC5_C033, 0x0AC5_D033, 0x6045_9013, 0x6055_9013, 0x0805_C03B,
        0x60C5_9033, 0x60C5_D033, 0x6035_D013, 0x60C5_903B, 0x60C5_D03B, 0x6035_D01B, 0x2875_D013, 0x6B85_D013,
    ]
    private static let zbs: [UInt32] = [
        0x48C5_9033, 0x4835_9013, 0x48C5_D033, 0x4835_D013, 0x68C5_9033, 0x6835_9013, 0x28C5_9033, 0x2835_9013,
    ]

    @Test func theListHasEveryInstructionOfEveryExtension() {
        // Of the others, hints are legal without their extension, and the instructions of hypervisors need one.
        let others: Set<String> = ["pause", "hinval.vvma", "hinval.gvma"]
        for part in Extension.allCases {
            let listed = Self.instructions.first { $0.part == part }?.bits ?? []
            let names = listed.compactMap { InstructionTable.find($0) }.filter { $0.part == part }.map(\.name)
            let rows = InstructionTable.all.filter { $0.part == part }.map(\.name)
            #expect(Set(names) == Set(rows).subtracting(others), "\(part)")
        }
    }

    @Test func rowsOfExtensionsThatAHartLacksAreNotFound() {
        for row in InstructionTable.all {
            guard let part = row.part else {
                let name = InstructionTable.find(row.match)?.name
                #expect(InstructionTable.find(row.match, on: ExtensionSet([]))?.name == name)
                continue
            }
            let found = InstructionTable.find(row.match, on: ExtensionSet(Extension.allCases.filter { $0 != part }))
            // What is left of a hint.
            #expect(found?.name == (row.name == "pause" ? "fence" : nil), "\(row.name)")
            #expect(InstructionTable.find(row.match, on: ExtensionSet([part]))?.name == row.name)
        }
    }

    @Test func namesAreThoseOfTheCases() {
        #expect(Extension.allCases.allSatisfy { "\($0)" == $0.name })
        #expect(ExtensionSet.all.names(ofMembers: false) == "smaia ssaia")
    }

    /// A program that executes instructions, and how each one ended.
    private func traps(_ runner: AerieRunner, _ instructions: [UInt32]) throws -> [CaseBlock.Trap] {
        let text = instructions.map { ".word 0x" + String($0, radix: 16) }.joined(separator: "\n")
        let code = try Toolchain.assemble(
            ".option norvc\n.section .text.start, \"ax\"\n.globl _start\n_start:\n\(text)\necall\n",
            at: CaseProgram.codeBase)
        var block = CaseBlock()
        let scratch = CaseProgram.blockAddress(0, codeSize: code.count) + UInt64(InstructionCase.scratchOffset)
        block.setX(8, scratch)
        block.startPC = CaseProgram.codeBase
        block.endPC = CaseProgram.codeBase + UInt64(4 * instructions.count)
        block.mstatus = 0x7800
        block.trapLimit = 32
        let after = try CaseProgram(code: code, blocks: [block]).run(on: runner)[0]
        #expect(after.end == .finished)
        return after.traps
    }

    @Test(arguments: GuestRunners.ours.indices)
    func instructionsExecuteWithTheirExtensionAndAreIllegalWithoutIt(runner: Int) throws {
        for (part, bits) in Self.instructions {
            var runner = try #require(GuestRunners.ours[runner] as? AerieRunner)
            runner.extensions = ExtensionSet([part])
            #expect(try traps(runner, bits) == [], "\(part)")
            runner.extensions = ExtensionSet(Extension.allCases.filter { $0 != part })
            let expected = bits.enumerated().map { index, bits in
                CaseBlock.Trap(cause: 2, epc: CaseProgram.codeBase + UInt64(4 * index), tval: UInt64(bits))
            }
            #expect(try traps(runner, bits) == expected, "\(part)")
        }
    }

    @Test(arguments: GuestRunners.ours.indices)
    func hintsAreLegalOnEveryHart(runner: Int) throws {
        var runner = try #require(GuestRunners.ours[runner] as? AerieRunner)
        runner.extensions = ExtensionSet([])
        // pause, prefetch.i, prefetch.r and prefetch.w
        #expect(try traps(runner, [0x0100_000F, 0x0005_E013, 0x0015_E013, 0x0035_E013]) == [])
    }

    @Test func textIsDataForInstructionsThatTheHartLacks() {
        let without = ExtensionSet([.zbb])
        #expect(Disassembler.text(of: 0x08C5_803B, at: 0) == "add.uw zero, a1, a2")
        #expect(Disassembler.text(of: 0x08C5_803B, at: 0, on: without) == ".4byte 0x8c5803b")
        #expect(Disassembler.text(of: 0x40C5_F033, at: 0, on: without) == "andn zero, a1, a2")
    }
}
