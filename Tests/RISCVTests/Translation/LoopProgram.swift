import GuestToolchain

/// A random program of one page whose loops each use registers of their own, numbers and floating-point numbers: what a region
/// has several parts for. Loops contain loads and stores that fault, system registers, accesses across pages, calls and
/// jumps through tables into other loops. The handler of each fault logs all registers.
struct LoopProgram {
    static let memory = 8 << 20
    /// The log, the data and the registers at the end, relative to the start of memory.
    static let dump = 0x10_0000..<0x40_0000
    /// Bytes that an entry of the log takes: x0 to x31, f0 to f31, fcsr, mcause, mepc and mtval.
    static let entry = 68 * 8

    private(set) var text = ""
    private var random: FuzzRandom
    private var labels = 0

    // x2 is the data, x3 is no memory, x4 and x5 count, x26 and x27 are temporary.
    private static let registers = [
        [6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17], [18, 19, 20, 21, 22, 23, 24, 25, 28, 29, 30, 31],
        [6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 28, 30], [11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22],
        [7, 9, 31, 17, 25],
    ]

    init(seed: UInt64) {
        random = FuzzRandom(seed: seed)
        writeStart()
        line("li x4, \(4 + random.below(4))")
        line("again:")
        for loop in 0..<4 { writeLoop(loop, "loop\(loop)") }
        line("addi x4, x4, -1")
        line("beqz x4, over")
        // Either to the start, or into the middle of a loop.
        writeTableJump(["again", "loop1", "loop2_middle"], by: "x4")
        line("over: j finish")
        line("function:")
        line("sd ra, -8(x2)")
        writeStatements(4, 4)
        writeLoop(2, "inner")
        line("ld ra, -8(x2)")
        line("ret")
        writeHandler()
    }

    func image() throws -> [UInt8] { try Toolchain.assemble(text, at: Toolchain.base, isKept: false) }

    private mutating func line(_ line: String) { text += line + "\n" }

    private mutating func label() -> String {
        labels += 1
        return "l\(labels)"
    }

    private mutating func writeStart() {
        lines(
            ".option norvc", ".option norelax", "_start: la t0, handler", "csrw mtvec, t0", "li t0, 0x80110000",
            "csrw mscratch, t0", "li t0, 0x6000", "csrs mstatus, t0", "fscsr x0")
        for number in 0..<32 {
            line("li t0, \(Int64(bitPattern: random.floating()))")
            line("fmv.d.x f\(number), t0")
        }
        for number in 5..<32 { line("li x\(number), \(Int64(bitPattern: random.integer()))") }
        lines("li x2, 0x80100c00", "li x3, 16", "j code", ".balign 4096", "code:")
    }

    private mutating func lines(_ lines: String...) { for text in lines { line(text) } }

    private mutating func writeLoop(_ set: Int, _ name: String) {
        let counter = name == "inner" ? "x1" : "x5"
        line("li \(counter), \(1 + random.below(9))")
        line("\(name):")
        writeStatements(set, 10 + random.below(6))
        line("\(name)_middle:")
        writeStatements(set, 10 + random.below(6))
        if name != "inner", random.once(in: 3) { line("call function") }
        line("addi \(counter), \(counter), -1")
        line("bgtz \(counter), \(name)")
        if name != "inner", random.once(in: 2) { line("call function") }
    }

    private mutating func writeStatements(_ set: Int, _ count: Int) {
        for _ in 0..<count { writeStatement(set) }
    }

    private mutating func writeStatement(_ set: Int) {
        func x(_ random: inout FuzzRandom) -> String { "x\(random.pick(Self.registers[set]))" }
        func f(_ random: inout FuzzRandom) -> String { "f\((8 * set + random.below(18)) % 32)" }
        let (a, b, c) = (x(&random), x(&random), x(&random))
        let (p, q, r) = (f(&random), f(&random), f(&random))
        let offset = random.below(120) * 8
        switch random.below(20) {
        case 0..<6: line("\(random.pick(["add", "sub", "xor", "mulw", "sltu", "sraw", "and"])) \(a), \(b), \(c)")
        case 6: line("addi \(a), \(b), \(random.below(4096) - 2048)")
        case 7..<9: line("\(random.pick(["ld", "lw", "lbu"])) \(a), \(offset)(x2)")
        case 9: line("\(random.pick(["sd", "sw", "sb"])) \(a), \(offset)(x2)")
        // Across a page.
        case 10: line("\(random.once(in: 2) ? "ld" : "sd") \(a), 1020(x2)")
        case 11: line("\(random.pick(["ld", "sd", "lw"])) \(a), \(random.below(8))(x3)")
        case 12: line("\(random.pick(["fld", "fsd"])) \(p), \(offset)(\(random.once(in: 4) ? "x3" : "x2"))")
        case 13..<16: line("\(random.pick(["fadd", "fmul", "fsub"])).\(random.pick(["s", "d"])) \(p), \(q), \(r)")
        case 16: line(random.once(in: 2) ? "fmv.x.d \(a), \(p)" : "fcvt.d.l \(p), \(a)")
        case 17: line(random.once(in: 2) ? "csrr \(a), mscratch" : "frflags \(a)")
        case 18:
            let end = label()
            line("\(random.pick(["beq", "blt", "bgeu"])) \(a), \(b), \(end)")
            line("xor \(b), \(b), \(c)")
            line("\(end):")
        default:
            let targets = [label(), label()]
            writeTableJump(targets, by: a)
            for target in targets { lines("\(target):", "addi \(b), \(c), 1") }
        }
    }

    private mutating func writeTableJump(_ targets: [String], by register: String) {
        let table = label()
        line("li x26, \(targets.count)")
        line("remu x26, \(register), x26")
        line("slli x26, x26, 2")
        line("la x27, \(table)")
        line("add x26, x26, x27")
        line("lw x26, (x26)")
        line("add x26, x26, x27")
        line("jr x26")
        line("\(table):")
        for target in targets { line(".word \(target) - \(table)") }
    }

    /// mscratch leads to the next entry of the log.
    private mutating func writeHandler() {
        lines(".balign 4096", "finish: ecall", "handler:", "csrrw t0, mscratch, t0")
        for number in 0..<32 where number != 5 { line("sd x\(number), \(8 * number)(t0)") }
        for number in 0..<32 { line("fsd f\(number), \(8 * (32 + number))(t0)") }
        lines("csrr t1, mscratch", "sd t1, 40(t0)")
        for (index, name) in ["fcsr", "mcause", "mepc", "mtval"].enumerated() {
            lines("csrr t1, \(name)", "sd t1, \(8 * (64 + index))(t0)")
        }
        lines(
            "csrr t1, mcause", "li t2, 11", "bne t1, t2, 1f", "li t0, 0x100000", "li t1, 0x5555", "sw t1, (t0)",
            "j .", "1: csrr t1, mepc", "addi t1, t1, 4", "csrw mepc, t1", "ld t1, 48(t0)", "ld t2, 56(t0)",
            "addi t0, t0, \(Self.entry)", "csrrw t0, mscratch, t0", "mret")
    }
}
