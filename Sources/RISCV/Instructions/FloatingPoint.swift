// The F and D extensions (Unprivileged Architecture, chapters "F" 2.2 and "D" 2.2), for 64-bit registers.

let floatingPointInstructions = singlePrecisionInstructions + doublePrecisionInstructions

private let singlePrecisionInstructions: [Instruction] = [
    Instruction("flw", .floatLoad, 0x2007, 0x707F) { loadFloat($0, $1, Binary32.self) },
    Instruction("fsw", .floatStore, 0x2027, 0x707F) { storeFloat($0, $1, Binary32.self) },
    Instruction("fmadd.s", .floatFused, 0x0000_0043, 0x0600_007F) {
        floatFused($0, $1, Binary32.self, negateProduct: false, negateAddend: false)
    },
    Instruction("fmsub.s", .floatFused, 0x0000_0047, 0x0600_007F) {
        floatFused($0, $1, Binary32.self, negateProduct: false, negateAddend: true)
    },
    Instruction("fnmsub.s", .floatFused, 0x0000_004B, 0x0600_007F) {
        floatFused($0, $1, Binary32.self, negateProduct: true, negateAddend: false)
    },
    Instruction("fnmadd.s", .floatFused, 0x0000_004F, 0x0600_007F) {
        floatFused($0, $1, Binary32.self, negateProduct: true, negateAddend: true)
    },
    Instruction("fadd.s", .floatRounded, 0x0000_0053, 0xFE00_007F) {
        floatRounded($0, $1, Binary32.self, Binary32.add)
    },
    Instruction("fsub.s", .floatRounded, 0x0800_0053, 0xFE00_007F) {
        floatRounded($0, $1, Binary32.self, Binary32.subtract)
    },
    Instruction("fmul.s", .floatRounded, 0x1000_0053, 0xFE00_007F) {
        floatRounded($0, $1, Binary32.self, Binary32.multiply)
    },
    Instruction("fdiv.s", .floatRounded, 0x1800_0053, 0xFE00_007F) {
        floatRounded($0, $1, Binary32.self, Binary32.divide)
    },
    Instruction("fsqrt.s", .floatUnaryRounded, 0x5800_0053, 0xFFF0_007F) {
        floatRounded($0, $1, Binary32.self) { Binary32.squareRoot($0, $2, &$3) }
    },
    Instruction("fsgnj.s", .floatRegister, 0x2000_0053, 0xFE00_707F) {
        floatRegisters($0, $1, Binary32.self) { a, b, _ in Binary32.copySign(a, from: b) }
    },
    Instruction("fsgnjn.s", .floatRegister, 0x2000_1053, 0xFE00_707F) {
        floatRegisters($0, $1, Binary32.self) { a, b, _ in Binary32.copyNegatedSign(a, from: b) }
    },
    Instruction("fsgnjx.s", .floatRegister, 0x2000_2053, 0xFE00_707F) {
        floatRegisters($0, $1, Binary32.self) { a, b, _ in Binary32.multiplySign(a, by: b) }
    },
    Instruction("fmin.s", .floatRegister, 0x2800_0053, 0xFE00_707F) {
        floatRegisters($0, $1, Binary32.self, Binary32.minimum)
    },
    Instruction("fmax.s", .floatRegister, 0x2800_1053, 0xFE00_707F) {
        floatRegisters($0, $1, Binary32.self, Binary32.maximum)
    },
    Instruction("fle.s", .floatCompare, 0xA000_0053, 0xFE00_707F) {
        floatCompared($0, $1, Binary32.self) { UInt64(Binary32.isLessOrEqual($0, $1, &$2)) }
    },
    Instruction("flt.s", .floatCompare, 0xA000_1053, 0xFE00_707F) {
        floatCompared($0, $1, Binary32.self) { UInt64(Binary32.isLess($0, $1, &$2)) }
    },
    Instruction("feq.s", .floatCompare, 0xA000_2053, 0xFE00_707F) {
        floatCompared($0, $1, Binary32.self) { UInt64(Binary32.isEqual($0, $1, &$2)) }
    },
    Instruction("fclass.s", .floatToInteger, 0xE000_1053, 0xFFF0_707F) {
        floatCompared($0, $1, Binary32.self) { a, _, _ in Binary32.classify(a) }
    },
    Instruction("fcvt.w.s", .floatToIntegerRounded, 0xC000_0053, 0xFFF0_007F) {
        floatToInteger($0, $1, Binary32.self, Int32.self)
    },
    Instruction("fcvt.wu.s", .floatToIntegerRounded, 0xC010_0053, 0xFFF0_007F) {
        floatToInteger($0, $1, Binary32.self, UInt32.self)
    },
    Instruction("fcvt.l.s", .floatToIntegerRounded, 0xC020_0053, 0xFFF0_007F) {
        floatToInteger($0, $1, Binary32.self, Int64.self)
    },
    Instruction("fcvt.lu.s", .floatToIntegerRounded, 0xC030_0053, 0xFFF0_007F) {
        floatToInteger($0, $1, Binary32.self, UInt64.self)
    },
    Instruction("fcvt.s.w", .integerToFloatRounded, 0xD000_0053, 0xFFF0_007F) {
        integerToFloat($0, $1, Binary32.self, Int32.self)
    },
    Instruction("fcvt.s.wu", .integerToFloatRounded, 0xD010_0053, 0xFFF0_007F) {
        integerToFloat($0, $1, Binary32.self, UInt32.self)
    },
    Instruction("fcvt.s.l", .integerToFloatRounded, 0xD020_0053, 0xFFF0_007F) {
        integerToFloat($0, $1, Binary32.self, Int64.self)
    },
    Instruction("fcvt.s.lu", .integerToFloatRounded, 0xD030_0053, 0xFFF0_007F) {
        integerToFloat($0, $1, Binary32.self, UInt64.self)
    },
    Instruction("fmv.x.w", .floatToInteger, 0xE000_0053, 0xFFF0_707F) {
        moveToInteger($0, $1) { UInt32(truncatingIfNeeded: $0).signExtended }
    },
    Instruction("fmv.w.x", .integerToFloat, 0xF000_0053, 0xFFF0_707F) { moveFromInteger($0, $1, Binary32.self) },
]

private let doublePrecisionInstructions: [Instruction] = [
    fld, fsd,
    Instruction("fmadd.d", .floatFused, 0x0200_0043, 0x0600_007F) {
        floatFused($0, $1, Binary64.self, negateProduct: false, negateAddend: false)
    },
    Instruction("fmsub.d", .floatFused, 0x0200_0047, 0x0600_007F) {
        floatFused($0, $1, Binary64.self, negateProduct: false, negateAddend: true)
    },
    Instruction("fnmsub.d", .floatFused, 0x0200_004B, 0x0600_007F) {
        floatFused($0, $1, Binary64.self, negateProduct: true, negateAddend: false)
    },
    Instruction("fnmadd.d", .floatFused, 0x0200_004F, 0x0600_007F) {
        floatFused($0, $1, Binary64.self, negateProduct: true, negateAddend: true)
    },
    Instruction("fadd.d", .floatRounded, 0x0200_0053, 0xFE00_007F) {
        floatRounded($0, $1, Binary64.self, Binary64.add)
    },
    Instruction("fsub.d", .floatRounded, 0x0A00_0053, 0xFE00_007F) {
        floatRounded($0, $1, Binary64.self, Binary64.subtract)
    },
    Instruction("fmul.d", .floatRounded, 0x1200_0053, 0xFE00_007F) {
        floatRounded($0, $1, Binary64.self, Binary64.multiply)
    },
    Instruction("fdiv.d", .floatRounded, 0x1A00_0053, 0xFE00_007F) {
        floatRounded($0, $1, Binary64.self, Binary64.divide)
    },
    Instruction("fsqrt.d", .floatUnaryRounded, 0x5A00_0053, 0xFFF0_007F) {
        floatRounded($0, $1, Binary64.self) { Binary64.squareRoot($0, $2, &$3) }
    },
    Instruction("fsgnj.d", .floatRegister, 0x2200_0053, 0xFE00_707F) {
        floatRegisters($0, $1, Binary64.self) { a, b, _ in Binary64.copySign(a, from: b) }
    },
    Instruction("fsgnjn.d", .floatRegister, 0x2200_1053, 0xFE00_707F) {
        floatRegisters($0, $1, Binary64.self) { a, b, _ in Binary64.copyNegatedSign(a, from: b) }
    },
    Instruction("fsgnjx.d", .floatRegister, 0x2200_2053, 0xFE00_707F) {
        floatRegisters($0, $1, Binary64.self) { a, b, _ in Binary64.multiplySign(a, by: b) }
    },
    Instruction("fmin.d", .floatRegister, 0x2A00_0053, 0xFE00_707F) {
        floatRegisters($0, $1, Binary64.self, Binary64.minimum)
    },
    Instruction("fmax.d", .floatRegister, 0x2A00_1053, 0xFE00_707F) {
        floatRegisters($0, $1, Binary64.self, Binary64.maximum)
    },
    Instruction("fle.d", .floatCompare, 0xA200_0053, 0xFE00_707F) {
        floatCompared($0, $1, Binary64.self) { UInt64(Binary64.isLessOrEqual($0, $1, &$2)) }
    },
    Instruction("flt.d", .floatCompare, 0xA200_1053, 0xFE00_707F) {
        floatCompared($0, $1, Binary64.self) { UInt64(Binary64.isLess($0, $1, &$2)) }
    },
    Instruction("feq.d", .floatCompare, 0xA200_2053, 0xFE00_707F) {
        floatCompared($0, $1, Binary64.self) { UInt64(Binary64.isEqual($0, $1, &$2)) }
    },
    Instruction("fclass.d", .floatToInteger, 0xE200_1053, 0xFFF0_707F) {
        floatCompared($0, $1, Binary64.self) { a, _, _ in Binary64.classify(a) }
    },
    Instruction("fcvt.w.d", .floatToIntegerRounded, 0xC200_0053, 0xFFF0_007F) {
        floatToInteger($0, $1, Binary64.self, Int32.self)
    },
    Instruction("fcvt.wu.d", .floatToIntegerRounded, 0xC210_0053, 0xFFF0_007F) {
        floatToInteger($0, $1, Binary64.self, UInt32.self)
    },
    Instruction("fcvt.l.d", .floatToIntegerRounded, 0xC220_0053, 0xFFF0_007F) {
        floatToInteger($0, $1, Binary64.self, Int64.self)
    },
    Instruction("fcvt.lu.d", .floatToIntegerRounded, 0xC230_0053, 0xFFF0_007F) {
        floatToInteger($0, $1, Binary64.self, UInt64.self)
    },
    Instruction("fcvt.d.w", .integerToFloatRounded, 0xD200_0053, 0xFFF0_007F) {
        integerToFloat($0, $1, Binary64.self, Int32.self)
    },
    Instruction("fcvt.d.wu", .integerToFloatRounded, 0xD210_0053, 0xFFF0_007F) {
        integerToFloat($0, $1, Binary64.self, UInt32.self)
    },
    Instruction("fcvt.d.l", .integerToFloatRounded, 0xD220_0053, 0xFFF0_007F) {
        integerToFloat($0, $1, Binary64.self, Int64.self)
    },
    Instruction("fcvt.d.lu", .integerToFloatRounded, 0xD230_0053, 0xFFF0_007F) {
        integerToFloat($0, $1, Binary64.self, UInt64.self)
    },
    Instruction("fcvt.s.d", .floatUnaryRounded, 0x4010_0053, 0xFFF0_007F) {
        floatToFloat($0, $1, from: Binary64.self, to: Binary32.self)
    },
    // Widening is exact, and still has a mode that must not be a reserved one.
    Instruction("fcvt.d.s", .floatUnaryRounded, 0x4200_0053, 0xFFF0_007F) {
        floatToFloat($0, $1, from: Binary32.self, to: Binary64.self)
    },
    Instruction("fmv.x.d", .floatToInteger, 0xE200_0053, 0xFFF0_707F) { moveToInteger($0, $1) { $0 } },
    Instruction("fmv.d.x", .integerToFloat, 0xF200_0053, 0xFFF0_707F) { moveFromInteger($0, $1, Binary64.self) },
]

// Rows that compressed instructions stand for as well.

let fld = Instruction("fld", .floatLoad, 0x3007, 0x707F) { loadFloat($0, $1, Binary64.self) }
let fsd = Instruction("fsd", .floatStore, 0x3027, 0x707F) { storeFloat($0, $1, Binary64.self) }
