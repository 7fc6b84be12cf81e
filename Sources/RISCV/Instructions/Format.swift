/// How an instruction's operands lie in its bits (Unprivileged Architecture 2.3 and 26.2), and how they are written.
enum Format: Sendable {
    // 32-bit formats.
    case register, immediate, shift, shiftWord, load, store, branch, upper, jump, jumpRegister
    case unary, none, fence, csr, csrImmediate, atomic, loadReserved, sfence, cacheBlock, guestLoad, guestStore
    case floatLoad, floatStore, floatRegister, floatRounded, floatFused
    case floatToInteger, floatToIntegerRounded, integerToFloat, integerToFloatRounded, floatCompare, floatUnaryRounded
    // 16-bit formats, by what they unpack.
    case cAddi4spn, cLoadWord, cLoadDouble, cStoreWord, cStoreDouble, cImmediate, cAddi16sp, cUpper, cShiftLeft
    case cShift, cAndImmediate, cArithmetic, cJump, cBranch, cLoadWordStack, cLoadDoubleStack
    case cStoreWordStack, cStoreDoubleStack, cJumpRegister, cJumpLinkRegister, cMove, cAdd, cNone, cLoadImmediate
    case cFloatLoad, cFloatStore, cFloatLoadStack, cFloatStoreStack
}

extension Operation {
    /// Unpacks the operands of `bits`, an instruction of the row `instruction`.
    init(_ instruction: Instruction, bits: UInt32) {
        self.init(
            execute: instruction.execute, immediate: 0, offset: 0, index: 0, rd: bits.field(7, 5),
            rs1: bits.field(15, 5),
            rs2: bits.field(20, 5), rs3: bits.field(27, 5), rounding: bits.field(12, 3), raw: bits)
        if bits & 3 == 3 { unpackWide(instruction.format, bits) } else { unpackCompressed(instruction.format, bits) }
        if instruction.format.writesInteger, rd == 0 { rd = HartState.sink }
    }

    private mutating func unpackWide(_ format: Format, _ bits: UInt32) {
        let signed = Int32(bitPattern: bits)
        switch format {
        case .immediate, .load, .jumpRegister, .floatLoad: immediate = signed >> 20
        case .shift: immediate = Int32(bits >> 20 & 63)
        case .shiftWord: immediate = Int32(bits >> 20 & 31)
        case .store, .floatStore: immediate = (signed >> 25) << 5 | Int32(bits >> 7 & 31)
        case .branch:
            immediate =
                (signed >> 31) << 12 | Int32(bits >> 7 & 1) << 11 | Int32(bits >> 25 & 63) << 5 | Int32(bits >> 8 & 15)
                << 1
        case .upper: immediate = Int32(bitPattern: bits & 0xFFFF_F000)
        case .jump:
            immediate =
                (signed >> 31) << 20 | Int32(bits >> 12 & 255) << 12 | Int32(bits >> 20 & 1) << 11
                | Int32(bits >> 21 & 1023) << 1
        case .csr, .csrImmediate: immediate = Int32(bits >> 20)
        default: break
        }
    }

    private mutating func unpackCompressed(_ format: Format, _ bits: UInt32) {
        let full = bits.field(7, 5)
        let second = bits.field(2, 5)
        // The three-bit register fields name x8 to x15.
        let upper = bits.field(7, 3) + 8
        let lower = bits.field(2, 3) + 8
        switch format {
        case .cAddi4spn:
            (rd, rs1) = (lower, 2)
            immediate = bits.gather((12, 11, 4), (10, 7, 6), (6, 6, 2), (5, 5, 3))
        case .cLoadWord, .cLoadDouble, .cFloatLoad:
            (rd, rs1) = (lower, upper)
            immediate = format == .cLoadWord ? bits.wordOffset : bits.doubleOffset
        case .cStoreWord, .cStoreDouble, .cFloatStore:
            (rs1, rs2) = (upper, lower)
            immediate = format == .cStoreWord ? bits.wordOffset : bits.doubleOffset
        case .cImmediate:
            (rd, rs1) = (full, full)
            immediate = bits.signedSix
        case .cLoadImmediate:
            (rd, rs1) = (full, 0)
            immediate = bits.signedSix
        case .cAddi16sp:
            (rd, rs1) = (2, 2)
            immediate = (bits.gather((12, 12, 9), (6, 6, 4), (5, 5, 6), (4, 3, 7), (2, 2, 5)) << 22) >> 22
        case .cUpper:
            rd = full
            immediate = bits.signedSix << 12
        case .cShiftLeft:
            (rd, rs1) = (full, full)
            immediate = bits.signedSix & 63
        case .cShift:
            (rd, rs1) = (upper, upper)
            immediate = bits.signedSix & 63
        case .cAndImmediate:
            (rd, rs1) = (upper, upper)
            immediate = bits.signedSix
        case .cArithmetic: (rd, rs1, rs2) = (upper, upper, lower)
        case .cJump:
            rd = 0
            immediate =
                (bits.gather(
                    (12, 12, 11), (11, 11, 4), (10, 9, 8), (8, 8, 10), (7, 7, 6), (6, 6, 7), (5, 3, 1), (2, 2, 5)) << 20)
                >> 20
        case .cBranch:
            (rs1, rs2) = (upper, 0)
            immediate = (bits.gather((12, 12, 8), (11, 10, 3), (6, 5, 6), (4, 3, 1), (2, 2, 5)) << 23) >> 23
        case .cLoadWordStack:
            (rd, rs1) = (full, 2)
            immediate = bits.gather((12, 12, 5), (6, 4, 2), (3, 2, 6))
        case .cLoadDoubleStack, .cFloatLoadStack:
            (rd, rs1) = (full, 2)
            immediate = bits.gather((12, 12, 5), (6, 5, 3), (4, 2, 6))
        case .cStoreWordStack:
            (rs1, rs2) = (2, second)
            immediate = bits.gather((12, 9, 2), (8, 7, 6))
        case .cStoreDoubleStack, .cFloatStoreStack:
            (rs1, rs2) = (2, second)
            immediate = bits.gather((12, 10, 3), (9, 7, 6))
        case .cJumpRegister: (rd, rs1) = (0, full)
        case .cJumpLinkRegister: (rd, rs1) = (1, full)
        case .cMove: (rd, rs1, rs2) = (full, 0, second)
        case .cAdd: (rd, rs1, rs2) = (full, full, second)
        default: (rd, rs1, rs2) = (0, 0, 0)
        }
    }
}

extension Format {
    /// The destination is an integer register, so that x0 has to be redirected.
    fileprivate var writesInteger: Bool {
        switch self {
        case .store, .branch, .none, .fence, .sfence, .cacheBlock, .guestStore, .floatLoad, .floatStore, .floatRegister,
            .floatRounded,
            .floatFused, .integerToFloat, .integerToFloatRounded, .floatUnaryRounded, .cStoreWord,
            .cStoreDouble, .cBranch, .cStoreWordStack, .cStoreDoubleStack, .cNone, .cFloatLoad, .cFloatStore,
            .cFloatLoadStack, .cFloatStoreStack:
            false
        default: true
        }
    }
}

extension UInt32 {
    fileprivate func field(_ low: UInt32, _ count: UInt32) -> UInt8 {
        UInt8(truncatingIfNeeded: self >> low & (1 << count - 1))
    }

    /// Collects scattered immediate bits: each part names its highest and lowest bit here and the place of the lowest there.
    fileprivate func gather(_ parts: (high: UInt32, low: UInt32, place: UInt32)...) -> Int32 {
        parts.reduce(0) { result, part in
            result | Int32(bitPattern: (self >> part.low & (1 << (part.high - part.low + 1) - 1)) << part.place)
        }
    }

    fileprivate var wordOffset: Int32 { gather((12, 10, 3), (6, 6, 2), (5, 5, 6)) }
    fileprivate var doubleOffset: Int32 { gather((12, 10, 3), (6, 5, 6)) }
    /// The immediate of the CI format, sign-extended from six bits.
    fileprivate var signedSix: Int32 { (gather((12, 12, 5), (6, 2, 0)) << 26) >> 26 }
}
