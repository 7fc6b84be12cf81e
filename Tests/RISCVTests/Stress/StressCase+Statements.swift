// Statements: computation, memory, branches.
extension StressCase {
    private static let threeRegisters = [
        "add", "sub", "and", "or", "xor", "sll", "srl", "sra", "slt", "sltu", "addw", "subw", "sllw", "srlw", "sraw",
        "mul",
        "mulh", "mulhu", "mulhsu", "mulw", "div", "divu", "rem", "remu", "divw", "remuw", "sh1add", "sh2add", "sh3add",
        "sh1add.uw", "add.uw", "andn", "orn", "xnor", "min", "maxu", "rol", "rorw", "bset", "bclr", "bext", "binv",
    ]
    private static let twoRegisters = [
        "clz", "ctz", "cpop", "sext.b", "sext.h", "zext.h", "rev8", "orc.b", "sext.w", "zext.w", "not", "neg", "seqz",
        "mv",
    ]
    private static let immediates = ["addi", "addiw", "andi", "ori", "xori", "slti", "sltiu"]
    private static let branches = ["beq", "bne", "blt", "bge", "bltu", "bgeu"]
    private static let roundings = ["rne", "rtz", "rdn", "rup", "rmm", "dyn"]

    mutating func writeStatement() {
        switch random.below(16) {
        case 0..<4: writeInteger()
        case 4, 5: writeFloating()
        case 6..<9: writeAccess()
        case 9: writeAtomic()
        case 10: writeIndexedAccess()
        case 11, 12: writeSkip()
        case 13: writeSwitch()
        case 14: writeFloatingControl()
        default: writeConstant()
        }
    }

    private mutating func writeInteger() {
        switch random.below(4) {
        case 0: line("\(random.pick(Self.immediates)) \(register()), \(register()), \(random.below(4096) - 2048)")
        case 1: line("\(random.pick(Self.twoRegisters)) \(register()), \(register())")
        case 2:
            let shift = random.pick(["slli", "srli", "srai", "rori", "bseti", "binvi"])
            line("\(shift) \(register()), \(register()), \(random.below(64))")
        default: line("\(random.pick(Self.threeRegisters)) \(register()), \(register()), \(register())")
        }
    }

    private mutating func writeConstant() {
        switch random.below(3) {
        case 0: line("li \(register()), \(Int64(bitPattern: random.integer()))")
        case 1: line("auipc \(register()), \(random.below(1 << 20))")
        default: line("lui \(register()), \(random.below(1 << 20))")
        }
    }

    private mutating func float() -> String { "f\(random.below(16))" }

    private mutating func writeFloating() {
        let suffix = random.pick(["s", "d"])
        let rounding = random.pick(Self.roundings)
        switch random.below(9) {
        case 0, 1:
            let name = random.pick(["fadd", "fsub", "fmul", "fdiv"])
            line("\(name).\(suffix) \(float()), \(float()), \(float()), \(rounding)")
        case 2:
            let name = random.pick(["fmadd", "fmsub", "fnmadd", "fnmsub"])
            line("\(name).\(suffix) \(float()), \(float()), \(float()), \(float()), \(rounding)")
        case 3:
            let name = random.pick(["fmin", "fmax", "fsgnj", "fsgnjn", "fsgnjx"])
            line("\(name).\(suffix) \(float()), \(float()), \(float())")
        case 4: line("\(random.pick(["feq", "flt", "fle"])).\(suffix) \(register()), \(float()), \(float())")
        case 5: line("fcvt.\(random.pick(["w", "wu", "l", "lu"])).\(suffix) \(register()), \(float()), \(rounding)")
        case 6: line("fcvt.\(suffix).\(random.pick(["l", "lu"])) \(float()), \(register()), \(rounding)")
        case 7: line(random.once(in: 2) ? "fcvt.s.d \(float()), \(float())" : "fcvt.d.s \(float()), \(float())")
        default: line("fsqrt.\(suffix) \(float()), \(float()), \(rounding)")
        }
    }

    private mutating func writeFloatingControl() {
        switch random.below(4) {
        case 0: line("fsrmi \(random.below(5))")
        case 1: line("frflags \(register())")
        case 2: line("fsflags \(register()), \(register())")
        default: line("frcsr \(register())")
        }
    }

    /// An access to one of the first seven pages of data; some of them cross into the next.
    private mutating func writeAccess() {
        let page = random.below(7)
        var base = "x8"
        if page > 0 {
            line("lui x23, \(page)")
            line("add x23, x23, x8")
            base = "x23"
        }
        let crosses = page > 0 && random.once(in: 4)
        let offset = crosses ? -random.below(8) : random.below(256) * 8 % 2048
        switch random.below(5) {
        case 0, 1:
            let name = random.pick(["lb", "lbu", "lh", "lhu", "lw", "lwu", "ld", "ld"])
            line("\(name) \(register()), \(offset)(\(base))")
        case 2: line("\(random.pick(["fld", "flw"])) \(float()), \(offset)(\(base))")
        case 3: line("\(random.pick(["fsd", "fsw"])) \(float()), \(offset)(\(base))")
        default: line("\(random.pick(["sb", "sh", "sw", "sd", "sd"])) \(register()), \(offset)(\(base))")
        }
    }

    private mutating func writeIndexedAccess() {
        line("slli x23, \(register()), \(51 + random.below(2))")
        line("srli x23, x23, 50")
        line("add x23, x23, x8")
        line(random.once(in: 2) ? "ld \(register()), 0(x23)" : "sd \(register()), 0(x23)")
    }

    private mutating func writeAtomic() {
        line("addi x23, x8, \(random.below(200) * 8)")
        let name = random.pick(["amoadd", "amoswap", "amoxor", "amoand", "amoor", "amomin", "amomaxu"])
        if isPortable || random.once(in: 3) {
            // An interrupt may break the reservation: again, until it holds.
            let again = label()
            let value = register()
            line("\(again): lr.d x25, (x23)")
            line("add x25, x25, \(value)")
            line("sc.d x25, x25, (x23)")
            line("bnez x25, \(again)")
        } else {
            line("\(name).\(random.pick(["w", "d"])) \(register()), \(register()), (x23)")
        }
    }

    private mutating func writeSkip() {
        let end = label()
        line("\(random.pick(Self.branches)) \(register()), \(register()), \(end)")
        for _ in 0..<(1 + random.below(3)) { writeInteger() }
        line("\(end):")
    }

    /// A jump through a table.
    private mutating func writeSwitch() {
        let table = label()
        let end = label()
        let targets = (0..<4).map { _ in label() }
        line("andi x25, \(register()), 3")
        line("slli x25, x25, 2")
        line("la x23, \(table)")
        line("add x25, x25, x23")
        line("lw x25, 0(x25)")
        line("add x25, x25, x23")
        line("jr x25")
        line(".balign 4")
        line("\(table):")
        for target in targets { line(".word \(target) - \(table)") }
        for target in targets {
            line("\(target):")
            writeInteger()
            line("j \(end)")
        }
        line("\(end):")
    }

    // MARK: Changes under the running code

    private static let replacements = [
        "addi x10, x10, 77", "xor x11, x11, x12", "sub x12, x12, x5", "mul x13, x13, x11", "ld x14, 64(x8)",
        "sd x10, 72(x8)", "fadd.d f1, f1, f2", "ebreak", ".word 0xffffffff", ".half 0x0505, 0x0505", ".half 1, 1",
        ".half 0, 0", "auipc x15, 1",
    ]

    mutating func writeChange() {
        switch random.below(6) {
        case 0..<2: writePatch()
        case 2: writeSpaceChange()
        default: writePermissions()
        }
    }

    /// Overwrites the first instruction of a function through the writable pages.
    private mutating func writePatch() {
        let word = label()
        let end = label()
        line("la x23, \(word)")
        line("lw x23, 0(x23)")
        line("la x25, \(name)_f\(random.below(Self.functions))")
        line("add x25, x25, x22")
        if random.once(in: 3) {
            line("sh x23, 0(x25)")
            line("srli x23, x23, 16")
            line("sh x23, 2(x25)")
        } else {
            line("sw x23, 0(x25)")
        }
        line("fence.i")
        line("j \(end)")
        lines += [
            ".option push", ".option norvc", ".balign 4", "\(word): \(random.pick(Self.replacements))", ".option pop",
        ]
        line("\(end):")
    }

    private mutating func writeSpaceChange() {
        if isSupervisor, random.once(in: 2) {
            line("csrw satp, x\(random.pick([26, 27]))")
        } else {
            line("li x17, 2")
            line("ecall")
        }
    }

    /// Takes permissions from a page of code, of writable code, or of data. The fault that follows gives them back.
    private mutating func writePermissions() {
        let code = "\(name)_f\(random.below(Self.functions))"
        let flags: [Int]
        var isData = false
        switch random.below(4) {
        case 0:
            line("la x10, \(code)")
            flags = [0, 0xc3, 0xcb, 0x8b, 0xdb]
        case 1:
            line("la x10, \(code)")
            line("add x10, x10, x22")
            flags = [0, 0xc3, 0x47, 0xd7]
        default:
            line("lui x10, \(random.below(8))")
            line("add x10, x10, x8")
            flags = [0, 0xc3, 0x47, 0x87, 0xc7, 0xd7, 0xc9]
            isData = true
        }
        // The driver turns the U bit into what the mode needs.
        line("li x11, \(random.pick(flags))")
        let fence = isData && isSupervisor ? random.below(5) : random.below(4)
        line("li x12, \(fence)")
        line("li x17, 1")
        line("ecall")
        if fence == 4 { line(random.once(in: 2) ? "sfence.vma" : "sfence.vma x10, x0") }
    }
}
