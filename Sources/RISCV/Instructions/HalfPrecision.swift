internal import Translator

// Zfhmin (Unprivileged Architecture, chapter "Zfh", section "Zfhmin"): loads, stores, moves and conversions of half-precision numbers. They are
// rare beside those of the F and D extensions, so that the translator leaves them to the interpreter's handlers.

let halfPrecisionInstructions: [Instruction] = [
    Instruction("flh", .floatLoad, 0x1007, 0x707F) { loadFloat($0, $1, Binary16.self) },
    Instruction("fsh", .floatStore, 0x1027, 0x707F) { storeFloat($0, $1, Binary16.self) },
    // Widening is exact, and still has a mode that must not be a reserved one.
    Instruction("fcvt.s.h", .floatUnaryRounded, 0x4020_0053, 0xFFF0_007F) {
        floatToFloat($0, $1, from: Binary16.self, to: Binary32.self)
    },
    Instruction("fcvt.d.h", .floatUnaryRounded, 0x4220_0053, 0xFFF0_007F) {
        floatToFloat($0, $1, from: Binary16.self, to: Binary64.self)
    },
    Instruction("fcvt.h.s", .floatUnaryRounded, 0x4400_0053, 0xFFF0_007F) {
        floatToFloat($0, $1, from: Binary32.self, to: Binary16.self)
    },
    Instruction("fcvt.h.d", .floatUnaryRounded, 0x4410_0053, 0xFFF0_007F) {
        floatToFloat($0, $1, from: Binary64.self, to: Binary16.self)
    },
    Instruction("fmv.x.h", .floatToInteger, 0xE400_0053, 0xFFF0_707F) {
        moveToInteger($0, $1) { UInt64(bitPattern: Int64(Int16(truncatingIfNeeded: $0))) }
    },
    Instruction("fmv.h.x", .integerToFloat, 0xF400_0053, 0xFFF0_707F) { moveFromInteger($0, $1, Binary16.self) },
]
