/// Machine code as assembler text: the instruction table's names with the operands of their formats, as the toolchain's
/// disassembler writes them without aliases (`llvm-objdump -d -M no-aliases`), with immediates in decimal.
package enum Disassembler {
    /// The instruction that `bits` hold, for example `addi sp, sp, -16`; 16-bit instructions under their own names.
    ///
    /// What an assembler has no words for, such as reserved encodings, becomes data: `.4byte 0xffffffff`.
    ///
    /// - Parameters:
    ///   - bits: the instruction; of a 16-bit one (whose lowest two bits are not both set), the upper half means nothing.
    ///   - address: where it lies, for the targets of jumps.
    ///   - extensions: those of the hart. The instructions of others are data.
    package static func text(of bits: UInt32, at address: UInt64, on extensions: ExtensionSet = .all) -> String {
        let isWide = bits & 3 == 3
        let bits = isWide ? bits : bits & 0xFFFF
        if let row = InstructionTable.find(bits, on: extensions), let text = InstructionText(row, bits, address).text {
            return text
        }
        return "\(isWide ? ".4byte" : ".2byte") 0x\(String(bits, radix: 16))"
    }
}

/// The parts that an instruction's text is made of.
private struct InstructionText {
    private let row: Instruction
    private let bits: UInt32
    private let address: UInt64
    private let operands: Operation

    init(_ row: Instruction, _ bits: UInt32, _ address: UInt64) {
        (self.row, self.bits, self.address) = (row, bits, address)
        operands = Operation(row, bits: bits)
    }

    /// nil where the bits mean nothing that can be written.
    var text: String? {
        guard let name, let list else { return nil }
        return list.isEmpty ? name : "\(name) \(list.joined(separator: ", "))"
    }

    // MARK: Names

    private var name: String? {
        switch row.format {
        case .atomic, .loadReserved: row.name + ["", ".rl", ".aq", ".aqrl"][Int(bits >> 25 & 3)]
        // Only the encodings that mean today what the text says have a text; later ones may refine the others.
        case .fence: bits & 0xF00F_FF80 == 0 ? row.name : bits == 0x8330_000F ? "fence.tso" : nil
        case .none: bits & ~row.mask == 0 ? row.name : nil
        case .cNone: row.name == "c.reserved" || bits & ~row.mask != 0 ? nil : row.name
        case .cImmediate: row.name == "c.addi" && destination == "zero" ? "c.nop" : row.name
        // A shift by 0 is a hint, which the assembler knows under the name of RV128's shift by 64.
        case .cShift, .cShiftLeft: operands.immediate == 0 ? row.name + "64" : row.name
        default: row.name
        }
    }

    // MARK: Operands

    private var destination: String { integerRegister(operands.rd == HartState.sink ? 0 : operands.rd) }
    private var first: String { integerRegister(operands.rs1) }
    private var second: String { integerRegister(operands.rs2) }
    private var floatDestination: String { floatRegister(operands.rd) }
    private var floatFirst: String { floatRegister(operands.rs1) }
    private var floatSecond: String { floatRegister(operands.rs2) }
    private var immediate: String { "\(operands.immediate)" }
    private var place: String { "\(operands.immediate)(\(first))" }
    private var upper: String { "0x" + String(UInt32(bitPattern: operands.immediate) >> 12, radix: 16) }
    private var target: String { "0x" + String(address &+ operands.signed, radix: 16) }

    /// The rounding mode of a floating-point instruction (Unprivileged Architecture, table 28); 5 and 6 are reserved.
    private var rounding: String? {
        ["rne", "rtz", "rdn", "rup", "rmm", nil, nil, "dyn"][Int(operands.rounding)]
    }

    private var list: [String]? { bits & 3 == 3 ? wideList : compressedList }

    private var wideList: [String]? {
        switch row.format {
        case .register: [destination, first, second]
        case .immediate, .shift, .shiftWord: [destination, first, immediate]
        case .load, .jumpRegister: [destination, place]
        case .store: [second, place]
        case .branch: [first, second, target]
        case .upper: [destination, upper]
        case .jump: [destination, target]
        case .unary: [destination, first]
        case .fence: bits >> 28 == 8 ? [] : [fenceSet(bits >> 24), fenceSet(bits >> 20)]
        case .csr: [destination, controlRegister, first]
        case .csrImmediate: [destination, controlRegister, "\(operands.rs1)"]
        case .atomic: [destination, second, "(\(first))"]
        case .loadReserved: [destination, "(\(first))"]
        case .sfence: [first, second]
        case .cacheBlock: ["(\(first))"]
        case .guestLoad: [destination, "(\(first))"]
        case .guestStore: [second, "(\(first))"]
        case .floatLoad: [floatDestination, place]
        case .floatStore: [floatSecond, place]
        case .floatRegister: [floatDestination, floatFirst, floatSecond]
        case .floatRounded: rounded([floatDestination, floatFirst, floatSecond])
        case .floatFused: rounded([floatDestination, floatFirst, floatSecond, floatRegister(operands.rs3)])
        case .floatToInteger: [destination, floatFirst]
        case .floatToIntegerRounded: rounded([destination, floatFirst])
        case .integerToFloat: [floatDestination, first]
        case .integerToFloatRounded: rounded([floatDestination, first])
        case .floatCompare: [destination, floatFirst, floatSecond]
        case .floatUnaryRounded: rounded([floatDestination, floatFirst])
        default: []
        }
    }

    private var compressedList: [String]? {
        switch row.format {
        case .cAddi4spn: [destination, first, immediate]
        case .cLoadWord, .cLoadDouble, .cLoadWordStack, .cLoadDoubleStack: [destination, place]
        case .cStoreWord, .cStoreDouble, .cStoreWordStack, .cStoreDoubleStack: [second, place]
        case .cFloatLoad, .cFloatLoadStack: [floatDestination, place]
        case .cFloatStore, .cFloatStoreStack: [floatSecond, place]
        case .cImmediate where destination == "zero": operands.immediate == 0 ? [] : [immediate]
        case .cShiftLeft where operands.immediate == 0, .cShift where operands.immediate == 0: [destination]
        case .cImmediate, .cLoadImmediate, .cAddi16sp, .cShiftLeft, .cShift, .cAndImmediate: [destination, immediate]
        case .cUpper: [destination, upper]
        case .cArithmetic, .cMove, .cAdd: [destination, second]
        case .cJump: [target]
        case .cBranch: [first, target]
        case .cJumpRegister, .cJumpLinkRegister: [first]
        default: []
        }
    }

    /// `registers` and the rounding mode, which conversions that are always exact only have when it is not the usual one.
    private func rounded(_ registers: [String]) -> [String]? {
        let isExact = ["fcvt.d.w", "fcvt.d.wu", "fcvt.d.s", "fcvt.s.h", "fcvt.d.h"].contains(row.name)
        return isExact && operands.rounding == 0 ? registers : rounding.map { registers + [$0] }
    }

    /// The accesses that a fence orders, from the four bits of its field.
    private func fenceSet(_ field: UInt32) -> String {
        let letters = zip([8, 4, 2, 1] as [UInt32], ["i", "o", "r", "w"]).filter { field & $0.0 != 0 }.map(\.1)
        return letters.isEmpty ? "0" : letters.joined()
    }

    private var controlRegister: String {
        CSR.name(of: Int(operands.immediate)) ?? "\(operands.immediate)"
    }
}

// The names of the calling convention (psABI 1).

private func integerRegister(_ number: UInt8) -> String {
    switch number {
    case 0: "zero"
    case 1: "ra"
    case 2: "sp"
    case 3: "gp"
    case 4: "tp"
    case 5...7: "t\(number - 5)"
    case 8, 9: "s\(number - 8)"
    case 10...17: "a\(number - 10)"
    case 18...27: "s\(number - 16)"
    default: "t\(number - 25)"
    }
}

private func floatRegister(_ number: UInt8) -> String {
    switch number {
    case 0...7: "ft\(number)"
    case 8, 9: "fs\(number - 8)"
    case 10...17: "fa\(number - 10)"
    case 18...27: "fs\(number - 16)"
    default: "ft\(number - 20)"
    }
}
