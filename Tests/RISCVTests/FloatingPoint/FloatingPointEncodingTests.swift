import Testing

@testable import RISCV

/// The rows of the F, D, Zfhmin and compressed floating-point instructions, against what an assembler makes of their names.
@Suite struct FloatingPointEncodingTests {
    /// With f10 or x10, f11 and f12 as sources, f13 or x13 as destination, and rup where there is a rounding mode.
    private static let assembled: [(name: String, bits: UInt32)] = [
        ("flw", 0xFFC5_2687), ("fsw", 0xFEB5_2E27), ("fmadd.s", 0x60B5_36C3), ("fmsub.s", 0x60B5_36C7),
        ("fnmsub.s", 0x60B5_36CB), ("fnmadd.s", 0x60B5_36CF), ("fadd.s", 0x00B5_36D3), ("fsub.s", 0x08B5_36D3),
        ("fmul.s", 0x10B5_36D3), ("fdiv.s", 0x18B5_36D3), ("fsqrt.s", 0x5805_36D3), ("fsgnj.s", 0x20B5_06D3),
        ("fsgnjn.s", 0x20B5_16D3), ("fsgnjx.s", 0x20B5_26D3), ("fmin.s", 0x28B5_06D3), ("fmax.s", 0x28B5_16D3),
        ("fle.s", 0xA0B5_06D3), ("flt.s", 0xA0B5_16D3), ("feq.s", 0xA0B5_26D3), ("fclass.s", 0xE005_16D3),
        ("fcvt.w.s", 0xC005_36D3), ("fcvt.wu.s", 0xC015_36D3), ("fcvt.l.s", 0xC025_36D3),
        ("fcvt.lu.s", 0xC035_36D3), ("fcvt.s.w", 0xD005_36D3), ("fcvt.s.wu", 0xD015_36D3),
        ("fcvt.s.l", 0xD025_36D3), ("fcvt.s.lu", 0xD035_36D3), ("fmv.x.w", 0xE005_06D3), ("fmv.w.x", 0xF005_06D3),
        ("fld", 0xFFC5_3687), ("fsd", 0xFEB5_3E27), ("fmadd.d", 0x62B5_36C3), ("fmsub.d", 0x62B5_36C7),
        ("fnmsub.d", 0x62B5_36CB), ("fnmadd.d", 0x62B5_36CF), ("fadd.d", 0x02B5_36D3), ("fsub.d", 0x0AB5_36D3),
        ("fmul.d", 0x12B5_36D3), ("fdiv.d", 0x1AB5_36D3), ("fsqrt.d", 0x5A05_36D3), ("fsgnj.d", 0x22B5_06D3),
        ("fsgnjn.d", 0x22B5_16D3), ("fsgnjx.d", 0x22B5_26D3), ("fmin.d", 0x2AB5_06D3), ("fmax.d", 0x2AB5_16D3),
        ("fle.d", 0xA2B5_06D3), ("flt.d", 0xA2B5_16D3), ("feq.d", 0xA2B5_26D3), ("fclass.d", 0xE205_16D3),
        ("fcvt.w.d", 0xC205_36D3), ("fcvt.wu.d", 0xC215_36D3), ("fcvt.l.d", 0xC225_36D3),
        ("fcvt.lu.d", 0xC235_36D3), ("fcvt.d.w", 0xD205_06D3), ("fcvt.d.wu", 0xD215_06D3),
        ("fcvt.d.l", 0xD225_36D3), ("fcvt.d.lu", 0xD235_36D3), ("fmv.x.d", 0xE205_06D3), ("fmv.d.x", 0xF205_06D3),
        ("flh", 0xFFC5_1687), ("fsh", 0xFEB5_1E27), ("fmv.x.h", 0xE405_06D3), ("fmv.h.x", 0xF405_06D3),
        ("fcvt.s.h", 0x4025_06D3), ("fcvt.d.h", 0x4225_06D3), ("fcvt.h.s", 0x4405_36D3), ("fcvt.h.d", 0x4415_36D3),
        ("fcvt.s.d", 0x4015_36D3), ("fcvt.d.s", 0x4205_06D3), ("c.fld", 0x2574), ("c.fsd", 0xA56C),
        ("c.fldsp", 0x36FE), ("c.fsdsp", 0xBFAE),
    ]

    @Test func everyInstructionIsFoundByItsBits() {
        for (name, bits) in Self.assembled {
            #expect(InstructionTable.find(bits)?.name == name)
        }
    }

    @Test func everyRowIsAmongTheAssembled() {
        let names = Set(Self.assembled.map(\.name))
        let rows = floatingPointInstructions + halfPrecisionInstructions
        #expect(rows.map(\.name).filter { !names.contains($0) } == [])
        #expect(names.count == Self.assembled.count)
        #expect(names.count == rows.count + 4)
    }

    @Test func operandsAreUnpackedFromTheirFields() throws {
        for (name, bits) in Self.assembled {
            let operation = Operation(try #require(InstructionTable.find(bits)), bits: bits)
            let isStack = name.hasSuffix("sp")
            let isStore =
                name.contains("fs")
                && (name == "fsh" || name.hasSuffix("w") || name.hasSuffix("fsd") || name.hasSuffix("fsdsp"))
            #expect(operation.rs1 == (isStack ? 2 : 10), "\(name)")
            if isStore { #expect(operation.rs2 == 11, "\(name)") } else { #expect(operation.rd == 13, "\(name)") }
            if name.hasPrefix("fm") && name.contains("add") { #expect(operation.rs3 == 12, "\(name)") }
            if name.hasPrefix("c.") {
                #expect(operation.immediate == (isStack ? 504 : 200), "\(name)")
                #expect(operation.length == 2, "\(name)")
            } else if bits & 0x5F == 0x07 {
                #expect(operation.immediate == -4, "\(name)")
            }
        }
    }

    @Test func reservedEncodingsHaveNoRow() {
        // Arithmetic in half and quadruple precision; fsqrt and conversions with other source fields; fsgnj, fmin, compare and move
        // with other funct3.
        let reserved: [UInt32] = [
            0x04B5_36D3, 0x06B5_36D3, 0x64B5_36C3, 0x5815_36D3, 0xC045_36D3, 0xD245_36D3, 0x4005_36D3, 0x4215_06D3,
            0x20B5_36D3, 0x28B5_26D3, 0xA0B5_36D3, 0xE005_26D3, 0xE015_06D3, 0xF005_16D3, 0x4035_06D3, 0x4425_36D3,
            0x4405_36D3 | 3 << 25, 0xFFC5_4687,
        ]
        for bits in reserved { #expect(InstructionTable.find(bits) == nil) }
    }
}
