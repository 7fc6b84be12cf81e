/// The A extension on one hart: results, ordering bits, alignment, reservations (Unprivileged ISA 13).
enum Atomics {
    static let cases: [InstructionCase] = operations + wordResults + reservations + misaligned + waiting

    private static func bytes(_ value: UInt64, _ size: Int) -> [UInt8] {
        (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }

    /// Operation, memory before, operand, memory after, for both widths (the low halves for .w).
    private static let table: [(String, UInt64, UInt64, UInt64, UInt64)] = [
        // operation, memory, operand, result for .d, result for .w
        ("amoswap", 0x1111_1111_2222_2222, 0x3333_3333_4444_4444, 0x3333_3333_4444_4444, 0x4444_4444),
        ("amoadd", 0xffff_ffff_ffff_ffff, 1, 0, 0),
        ("amoadd", 0x7fff_ffff_7fff_ffff, 1, 0x7fff_ffff_8000_0000, 0x8000_0000),
        ("amoxor", 0xff00_ff00_ff00_ff00, 0x0ff0_0ff0_0ff0_0ff0, 0xf0f0_f0f0_f0f0_f0f0, 0xf0f0_f0f0),
        ("amoand", 0xff00_ff00_ff00_ff00, 0x0ff0_0ff0_0ff0_0ff0, 0x0f00_0f00_0f00_0f00, 0x0f00_0f00),
        ("amoor", 0xff00_ff00_ff00_ff00, 0x0ff0_0ff0_0ff0_0ff0, 0xfff0_fff0_fff0_fff0, 0xfff0_fff0),
        ("amomin", 0x0000_0001_8000_0000, 0xffff_ffff_0000_0001, 0xffff_ffff_0000_0001, 0x8000_0000),
        ("amomax", 0x0000_0001_8000_0000, 0xffff_ffff_0000_0001, 0x0000_0001_8000_0000, 0x0000_0001),
        ("amominu", 0x0000_0001_8000_0000, 0xffff_ffff_0000_0001, 0x0000_0001_8000_0000, 0x0000_0001),
        ("amomaxu", 0x0000_0001_8000_0000, 0xffff_ffff_0000_0001, 0xffff_ffff_0000_0001, 0x8000_0000),
    ]

    private static let operations: [InstructionCase] = table.flatMap { operation, memory, operand, long, word in
        ["", ".aq", ".rl", ".aqrl"].flatMap { ordering in
            var double = InstructionCase("\(operation).d\(ordering) a0, a1, (s0)")
            double.memory = bytes(memory, 8)
            double.x = [Register.a1: .constant(operand)]
            double.expectedX = [Register.a0: .constant(memory)]
            double.expectedMemory = bytes(long, 8)
            var single = double
            single.text = "\(operation).w\(ordering) a0, a1, (s0)"
            single.expectedX = [Register.a0: .constant(UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: memory))))]
            single.expectedMemory = bytes(word, 4)
            var discarded = double
            discarded.text = "\(operation).d\(ordering) x0, a1, (s0)"
            discarded.expectedX = [:]
            var same = double
            same.text = "\(operation).d\(ordering) a1, a1, (s0)"
            same.expectedX = [Register.a1: .constant(memory)]
            return [double, single, discarded, same]
        }
    }

    private static let wordResults: [InstructionCase] = {
        // The old word is sign-extended, the upper half of the operand does not count, the upper half of memory stays.
        var one = InstructionCase("amoadd.w a0, a1, 4(s0)".replacing("4(s0)", with: "(a2)"))
        one.memory = bytes(0x8000_0000_1111_1111, 8)
        one.x = [Register.a1: .constant(0xdead_beef_0000_0001), Register.a2: .scratch(4)]
        one.expectedX = [Register.a0: .constant(0xffff_ffff_8000_0000)]
        one.expectedMemory = bytes(0x8000_0001_1111_1111, 8)
        return [one]
    }()

    private static let reservations: [InstructionCase] = {
        func one(
            _ text: String, _ after: [Int: InstructionCase.Value], memory: UInt64? = nil
        ) -> InstructionCase {
            var one = InstructionCase(text)
            one.memory = bytes(0x8000_0001_8000_0002, 8)
            one.x = [
                Register.a1: .constant(0x1234_5678_9abc_def0), Register.a2: .scratch(64), Register.a4: .scratch(4),
            ]
            one.expectedX = after
            one.expectedMemory = memory.map { bytes($0, 8) }
            return one
        }
        let old = InstructionCase.Value.constant(0x8000_0001_8000_0002)
        let oldWord = InstructionCase.Value.constant(0xffff_ffff_8000_0002)
        let success = InstructionCase.Value.constant(0)
        let failure = InstructionCase.Value.constant(1)
        let r = (a0: Register.a0, a3: Register.a3)
        return [
            one("lr.d a0, (s0)\nsc.d a3, a1, (s0)", [r.a0: old, r.a3: success], memory: 0x1234_5678_9abc_def0),
            one("lr.w a0, (s0)\nsc.w a3, a1, (s0)", [r.a0: oldWord, r.a3: success], memory: 0x8000_0001_9abc_def0),
            one(
                "lr.w.aq a0, (s0)\nsc.w.rl a3, a1, (s0)", [r.a0: oldWord, r.a3: success], memory: 0x8000_0001_9abc_def0),
            one("lr.d.aqrl a0, (s0)\nsc.d.aqrl x0, a1, (s0)", [r.a0: old], memory: 0x1234_5678_9abc_def0),
            // Without a reservation, and after one was used, the store fails and writes nothing.
            one("sc.d a3, a1, (s0)", [r.a3: failure]), one("sc.w a3, a1, (s0)", [r.a3: failure]),
            one(
                "lr.d a0, (s0)\nsc.d a0, a0, (s0)\nsc.d a3, a1, (s0)", [r.a0: success, r.a3: failure],
                memory: 0x8000_0001_8000_0002),
            // A failed sc ends the reservation.
            one("lr.d a0, (s0)\nsc.d a3, a1, (a2)\nsc.d a3, a1, (s0)", [r.a0: old, r.a3: failure]),
            // The last lr counts.
            one(
                "lr.d a0, (a2)\nlr.d a0, (s0)\nsc.d a3, a1, (s0)", [r.a0: old, r.a3: success],
                memory: 0x1234_5678_9abc_def0),
            // rd may be any of the operands.
            one("lr.d a0, (s0)\nsc.d a1, a1, (s0)", [r.a0: old, Register.a1: success], memory: 0x1234_5678_9abc_def0),
            one("mv a3, s0\nlr.d a3, (a3)", [r.a3: old]),
        ]
    }()

    /// Atomics are never split: an address that is not aligned is an exception, load misaligned for lr, else store.
    private static let misaligned: [InstructionCase] = {
        func one(_ text: String, cause: UInt64, offset: Int64) -> InstructionCase {
            var one = InstructionCase(text)
            one.x = [Register.a2: .scratch(offset)]
            one.needs = cause == 6 ? .storeCauseForAtomics : nil
            one.expectedTraps = [.init(cause: cause, offset: 0, tval: .scratch(offset))]
            return one
        }
        return [
            one("lr.w a0, (a2)", cause: 4, offset: 2), one("lr.d a0, (a2)", cause: 4, offset: 4),
            one("amoadd.w a0, a1, (a2)", cause: 6, offset: 1), one("amoswap.w a0, a1, (a2)", cause: 6, offset: 2),
            one("amomax.d a0, a1, (a2)", cause: 6, offset: 4), one("amoor.d x0, a1, (a2)", cause: 6, offset: 7),
        ]
    }()

    private static let waiting: [InstructionCase] = Cases.text("wrs.nto\nwrs.sto").map { one in
        // Without a reservation neither waits.
        var one = one
        one.needs = .zawrs
        return one
    }
}
