// RV64I (Unprivileged Architecture 2 and 4). The rows are: name, format, match, mask, what it does.

let integerInstructions: [Instruction] = [
    Instruction("lui", .upper, 0x37, 0x7F) { immediate($0, $1) { $1 } },
    Instruction("auipc", .upper, 0x17, 0x7F) { hart, operation in
        let address = hart.state.pointee.blockAddress &+ UInt64(operation.operation.pointee.offset)
        return immediate(hart, operation) { address &+ $1 }
    },
    jal, jalr, beq, bne,
    Instruction("blt", .branch, 0x4063, 0x707F) { branch($0, $1) { $0.signed < $1.signed } },
    Instruction("bge", .branch, 0x5063, 0x707F) { branch($0, $1) { $0.signed >= $1.signed } },
    Instruction("bltu", .branch, 0x6063, 0x707F) { branch($0, $1) { $0 < $1 } },
    Instruction("bgeu", .branch, 0x7063, 0x707F) { branch($0, $1) { $0 >= $1 } },
    Instruction("lb", .load, 0x3, 0x707F) { load($0, $1, Int8.self) },
    Instruction("lh", .load, 0x1003, 0x707F) { load($0, $1, Int16.self) },
    Instruction("lbu", .load, 0x4003, 0x707F) { load($0, $1, UInt8.self) },
    Instruction("lhu", .load, 0x5003, 0x707F) { load($0, $1, UInt16.self) },
    Instruction("lwu", .load, 0x6003, 0x707F) { load($0, $1, UInt32.self) },
    lw, ld,
    Instruction("sb", .store, 0x23, 0x707F) { store($0, $1, UInt8.self) },
    Instruction("sh", .store, 0x1023, 0x707F) { store($0, $1, UInt16.self) },
    sw, sd, addi,
    Instruction("slti", .immediate, 0x2013, 0x707F) { immediate($0, $1) { UInt64($0.signed < $1.signed) } },
    Instruction("sltiu", .immediate, 0x3013, 0x707F) { immediate($0, $1) { UInt64($0 < $1) } },
    Instruction("xori", .immediate, 0x4013, 0x707F) { immediate($0, $1) { $0 ^ $1 } },
    Instruction("ori", .immediate, 0x6013, 0x707F) { immediate($0, $1) { $0 | $1 } },
    andi, slli, srli, srai, add, sub,
    Instruction("sll", .register, 0x1033, 0xFE00707F) { registers($0, $1) { $0 << ($1 & 63) } },
    Instruction("slt", .register, 0x2033, 0xFE00707F) { registers($0, $1) { UInt64($0.signed < $1.signed) } },
    Instruction("sltu", .register, 0x3033, 0xFE00707F) { registers($0, $1) { UInt64($0 < $1) } },
    Instruction("srl", .register, 0x5033, 0xFE00707F) { registers($0, $1) { $0 >> ($1 & 63) } },
    Instruction("sra", .register, 0x40005033, 0xFE00707F) {
        registers($0, $1) { UInt64(bitPattern: $0.signed >> ($1.signed & 63)) }
    },
    xor, or, and, addiw,
    Instruction("slliw", .shiftWord, 0x101B, 0xFE00707F) { wordImmediate($0, $1) { $0 << $1 } },
    Instruction("srliw", .shiftWord, 0x501B, 0xFE00707F) { wordImmediate($0, $1) { $0 >> $1 } },
    Instruction("sraiw", .shiftWord, 0x4000501B, 0xFE00707F) {
        wordImmediate($0, $1) { UInt32(bitPattern: Int32(bitPattern: $0) >> Int32($1)) }
    },
    addw, subw,
    Instruction("sllw", .register, 0x103B, 0xFE00707F) { words($0, $1) { $0 << ($1 & 31) } },
    Instruction("srlw", .register, 0x503B, 0xFE00707F) { words($0, $1) { $0 >> ($1 & 31) } },
    Instruction("sraw", .register, 0x4000503B, 0xFE00707F) {
        words($0, $1) { UInt32(bitPattern: Int32(bitPattern: $0) >> Int32($1 & 31)) }
    },
]

// Rows that compressed instructions stand for as well.

let jal = Instruction("jal", .jump, 0x6F, 0x7F, endsBlock: true) { hart, operation in
    let state = hart.state
    let operands = operation.operation
    let address = state.pointee.blockAddress &+ UInt64(operands.pointee.offset)
    state.pointee.x[unchecked: Int(operands.pointee.rd)] = address &+ operands.pointee.length
    return leave(hart, operation, to: address &+ operands.pointee.signed)
}

let jalr = Instruction("jalr", .jumpRegister, 0x67, 0x707F, endsBlock: true) { hart, operation in
    let state = hart.state
    let operands = operation.operation
    let target = state.pointee.x[unchecked: Int(operands.pointee.rs1)] &+ operands.pointee.signed
    state.pointee.x[unchecked: Int(operands.pointee.rd)] =
        state.pointee.blockAddress &+ UInt64(operands.pointee.offset) &+ operands.pointee.length
    return leave(hart, operation, to: target & ~1)
}

let beq = Instruction("beq", .branch, 0x63, 0x707F) { branch($0, $1) { $0 == $1 } }
let bne = Instruction("bne", .branch, 0x1063, 0x707F) { branch($0, $1) { $0 != $1 } }
let lw = Instruction("lw", .load, 0x2003, 0x707F) { load($0, $1, Int32.self) }
let ld = Instruction("ld", .load, 0x3003, 0x707F) { load($0, $1, UInt64.self) }
let sw = Instruction("sw", .store, 0x2023, 0x707F) { store($0, $1, UInt32.self) }
let sd = Instruction("sd", .store, 0x3023, 0x707F) { store($0, $1, UInt64.self) }
let addi = Instruction("addi", .immediate, 0x13, 0x707F) { immediate($0, $1) { $0 &+ $1 } }
let andi = Instruction("andi", .immediate, 0x7013, 0x707F) { immediate($0, $1) { $0 & $1 } }
let slli = Instruction("slli", .shift, 0x1013, 0xFC00707F) { immediate($0, $1) { $0 << ($1 & 63) } }
let srli = Instruction("srli", .shift, 0x5013, 0xFC00707F) { immediate($0, $1) { $0 >> ($1 & 63) } }
let srai = Instruction("srai", .shift, 0x40005013, 0xFC00707F) {
    immediate($0, $1) { UInt64(bitPattern: $0.signed >> ($1.signed & 63)) }
}
let addiw = Instruction("addiw", .immediate, 0x1B, 0x707F) { wordImmediate($0, $1) { $0 &+ $1 } }
let add = Instruction("add", .register, 0x33, 0xFE00707F) { registers($0, $1) { $0 &+ $1 } }
let sub = Instruction("sub", .register, 0x40000033, 0xFE00707F) { registers($0, $1) { $0 &- $1 } }
let xor = Instruction("xor", .register, 0x4033, 0xFE00707F) { registers($0, $1) { $0 ^ $1 } }
let or = Instruction("or", .register, 0x6033, 0xFE00707F) { registers($0, $1) { $0 | $1 } }
let and = Instruction("and", .register, 0x7033, 0xFE00707F) { registers($0, $1) { $0 & $1 } }
let addw = Instruction("addw", .register, 0x3B, 0xFE00707F) { words($0, $1) { $0 &+ $1 } }
let subw = Instruction("subw", .register, 0x4000003B, 0xFE00707F) { words($0, $1) { $0 &- $1 } }
