// The M extension (Unprivileged Architecture 13). Division by zero gives all ones and leaves the dividend as remainder;
// the one overflow, least negative by -1, gives the dividend and remainder 0 (table 11).

let multiplicationInstructions: [Instruction] = [
    Instruction("mul", .register, 0x0200_0033, 0xFE00707F) { registers($0, $1) { $0 &* $1 } },
    Instruction("mulh", .register, 0x0200_1033, 0xFE00707F) {
        registers($0, $1) { UInt64(bitPattern: $0.signed.multipliedFullWidth(by: $1.signed).high) }
    },
    Instruction("mulhsu", .register, 0x0200_2033, 0xFE00707F) {
        registers($0, $1) { $0.multipliedFullWidth(by: $1).high &- ($0.signed < 0 ? $1 : 0) }
    },
    Instruction("mulhu", .register, 0x0200_3033, 0xFE00707F) {
        registers($0, $1) { $0.multipliedFullWidth(by: $1).high }
    },
    Instruction("div", .register, 0x0200_4033, 0xFE00707F) {
        registers($0, $1) { $1 == 0 ? .max : UInt64(bitPattern: $0.signed.dividedReportingOverflow(by: $1.signed).0) }
    },
    Instruction("divu", .register, 0x0200_5033, 0xFE00707F) { registers($0, $1) { $1 == 0 ? .max : $0 / $1 } },
    Instruction("rem", .register, 0x0200_6033, 0xFE00707F) {
        registers($0, $1) {
            $1 == 0 ? $0 : UInt64(bitPattern: $0.signed.remainderReportingOverflow(dividingBy: $1.signed).0)
        }
    },
    Instruction("remu", .register, 0x0200_7033, 0xFE00707F) { registers($0, $1) { $1 == 0 ? $0 : $0 % $1 } },
    Instruction("mulw", .register, 0x0200_003B, 0xFE00707F) { words($0, $1) { $0 &* $1 } },
    Instruction("divw", .register, 0x0200_403B, 0xFE00707F) {
        words($0, $1) {
            $1 == 0
                ? .max
                : UInt32(bitPattern: Int32(bitPattern: $0).dividedReportingOverflow(by: Int32(bitPattern: $1)).0)
        }
    },
    Instruction("divuw", .register, 0x0200_503B, 0xFE00707F) { words($0, $1) { $1 == 0 ? .max : $0 / $1 } },
    Instruction("remw", .register, 0x0200_603B, 0xFE00707F) {
        words($0, $1) {
            $1 == 0
                ? $0
                : UInt32(
                    bitPattern: Int32(bitPattern: $0).remainderReportingOverflow(dividingBy: Int32(bitPattern: $1)).0)
        }
    },
    Instruction("remuw", .register, 0x0200_703B, 0xFE00707F) { words($0, $1) { $1 == 0 ? $0 : $0 % $1 } },
]
