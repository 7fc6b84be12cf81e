/// Machine code from fields: an encoder of the fuzzer's own, so that it shares no mistake with the hart's decoder.
enum FuzzEncoding {
    static func r(
        _ opcode: UInt32, _ function7: UInt32, _ function3: UInt32, _ rd: UInt32, _ rs1: UInt32, _ rs2: UInt32
    )
        -> UInt32
    {
        function7 << 25 | rs2 << 20 | rs1 << 15 | function3 << 12 | rd << 7 | opcode
    }

    static func i(_ opcode: UInt32, _ function3: UInt32, _ rd: UInt32, _ rs1: UInt32, _ immediate: Int) -> UInt32 {
        UInt32(truncatingIfNeeded: immediate) << 20 | rs1 << 15 | function3 << 12 | rd << 7 | opcode
    }

    static func s(_ opcode: UInt32, _ function3: UInt32, _ rs1: UInt32, _ rs2: UInt32, _ immediate: Int) -> UInt32 {
        let bits = UInt32(truncatingIfNeeded: immediate)
        return (bits >> 5 & 0x7f) << 25 | rs2 << 20 | rs1 << 15 | function3 << 12 | (bits & 31) << 7 | opcode
    }

    static func branch(_ function3: UInt32, _ rs1: UInt32, _ rs2: UInt32, _ offset: Int) -> UInt32 {
        let bits = UInt32(truncatingIfNeeded: offset)
        let high = (bits >> 12 & 1) << 31 | (bits >> 5 & 0x3f) << 25
        let low = (bits >> 1 & 15) << 8 | (bits >> 11 & 1) << 7
        return high | rs2 << 20 | rs1 << 15 | function3 << 12 | low | 0x63
    }

    static func jal(_ rd: UInt32, _ offset: Int) -> UInt32 {
        let bits = UInt32(truncatingIfNeeded: offset)
        let high = (bits >> 20 & 1) << 31 | (bits >> 1 & 0x3ff) << 21
        return high | (bits >> 11 & 1) << 20 | (bits >> 12 & 0xff) << 12 | rd << 7 | 0x6f
    }

    static func lui(_ rd: UInt32, _ page: UInt32) -> UInt32 { page << 12 | rd << 7 | 0x37 }
    static func auipc(_ rd: UInt32) -> UInt32 { rd << 7 | 0x17 }
    static func addi(_ rd: UInt32, _ rs1: UInt32, _ immediate: Int) -> UInt32 { i(0x13, 0, rd, rs1, immediate) }
    static func csr(_ function3: UInt32, _ rd: UInt32, _ field: UInt32, _ number: UInt32) -> UInt32 {
        number << 20 | field << 15 | function3 << 12 | rd << 7 | 0x73
    }

    static let nop: UInt32 = 0x13
    static let compressedNop: UInt16 = 1
    static let ecall: UInt32 = 0x73
    static let ebreak: UInt32 = 0x0010_0073
    static let fenceI: UInt32 = 0x100f
    static let sfence: UInt32 = 0x1200_0073

    /// funct7 and funct3 of OP: RV64I, M, Zba, Zbb, Zbs.
    static let registerOperations: [(UInt32, UInt32)] =
        (0..<8).map { (0, $0) } + (0..<8).map { (1, $0) } + [
            (0x20, 0), (0x20, 5), (0x20, 4), (0x20, 6), (0x20, 7), (0x10, 2), (0x10, 4), (0x10, 6), (5, 4), (5, 5),
            (5, 6), (5, 7), (0x30, 1), (0x30, 5), (0x14, 1), (0x24, 1), (0x34, 1), (0x24, 5),
        ]

    /// The same of OP-32.
    static let wordOperations: [(UInt32, UInt32)] = [
        (0, 0), (0x20, 0), (0, 1), (0, 5), (0x20, 5), (1, 0), (1, 4), (1, 5), (1, 6), (1, 7), (4, 0), (0x10, 2),
        (0x10, 4), (0x10, 6), (0x30, 1), (0x30, 5),
    ]

    /// Opcode, funct6 at bit 26 and funct3 of shifts and single-bit operations; the last says whether six bits count.
    static let shifts: [(UInt32, UInt32, UInt32, Bool)] = [
        (0x13, 0, 1, true), (0x13, 0, 5, true), (0x13, 0x10, 5, true), (0x13, 0x18, 5, true), (0x13, 0x0a, 1, true),
        (0x13, 0x12, 1, true), (0x13, 0x1a, 1, true), (0x13, 0x12, 5, true), (0x1b, 0, 1, false), (0x1b, 0, 5, false),
        (0x1b, 0x10, 5, false), (0x1b, 0x18, 5, false), (0x1b, 2, 1, true),
    ]

    /// Complete encodings of unary operations, without registers.
    static let unary: [UInt32] = [
        0x6000_1013, 0x6010_1013, 0x6020_1013, 0x6040_1013, 0x6050_1013, 0x2870_5013, 0x6b80_5013, 0x6000_101b,
        0x6020_101b, 0x0800_403b,
    ]

    /// funct5 of AMOs.
    static let atomics: [UInt32] = [1, 0, 4, 0xc, 8, 0x10, 0x14, 0x18, 0x1c]
}
