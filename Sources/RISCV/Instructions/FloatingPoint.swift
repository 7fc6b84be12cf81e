let floatingPointInstructions: [Instruction] = []
let fld = Instruction("fld", .floatLoad, 0x3007, 0x707F) { illegal($0, $1) }
let fsd = Instruction("fsd", .floatStore, 0x3027, 0x707F) { illegal($0, $1) }
