/// Writes one random case as assembly text.
///
/// Registers: x5 to x7, x10 to x16 and x28 to x31 are anything; x8 is the data, x18 to x21 count loops, x22 leads from code to
/// its writable pages, x23 and x25 are temporary, x26 and x27 the two values of satp.
struct StressCase {
    let name: String
    var random: FuzzRandom
    let isSupervisor: Bool
    /// Without AMOs, whose page faults QEMU 7.2 reports as those of loads.
    let isPortable: Bool
    var lines: [String] = []
    private var labels = 0

    static let functions = 5
    static let pool = [5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 28, 29, 30, 31]

    init(name: String, random: FuzzRandom, isSupervisor: Bool, isPortable: Bool) {
        self.name = name
        self.random = random
        self.isSupervisor = isSupervisor
        self.isPortable = isPortable
    }

    mutating func line(_ text: String) { lines.append(text) }

    mutating func label() -> String {
        labels += 1
        return "\(name)_l\(labels)"
    }

    /// A register of the pool.
    mutating func register() -> String { "x\(random.pick(Self.pool))" }

    /// The whole case: functions around the code that runs first.
    mutating func write() {
        let first = random.below(Self.functions)
        for number in 0..<Self.functions {
            if number == first { writeMain() }
            writeFunction(number)
        }
    }

    /// A page ends in the code that follows.
    private mutating func writeBorder() {
        lines += [".balign 4096", ".space \(4096 - 2 * (8 + random.below(120)))"]
    }

    private mutating func writeMain() {
        if random.once(in: 2) {
            line(".balign 4096")
            line(".space \(4096 - 2 * (150 + random.below(400)))")
        }
        line("\(name):")
        line("li x8, 0x60000000")
        line("li x2, 0x60007ff0")
        line("li x22, 0x10000000")
        line("li x26, 8 << 60 | 1 << 44 | TABLES >> 12")
        line("li x27, 8 << 60 | 2 << 44 | (TABLES + 0x10000) >> 12")
        for number in Self.pool { line("li x\(number), \(Int64(bitPattern: random.integer()))") }
        for number in 0..<16 {
            let value = random.floating()
            line("li x23, \(Int64(bitPattern: value))")
            line("fmv.d.x f\(number), x23")
        }
        line("fscsr x0")
        let count = 3 + random.below(4)
        for _ in 0..<count { writeLoop(counter: 18, deepest: 19, statements: 4 + random.below(8)) }
        line("li x17, 3")
        line("ecall")
    }

    /// A function calls only functions of higher numbers, so that all of them end.
    private mutating func writeFunction(_ number: Int) {
        switch random.below(6) {
        // The first instruction, which others overwrite, crosses a page.
        case 0: lines += [".balign 4096", ".space 4094"]
        case 1: lines += [".balign 4096"]
        case 2, 3: writeBorder()
        default: break
        }
        // The code to be overwritten is one instruction of four bytes.
        lines += ["\(name)_f\(number):", ".option push", ".option norvc", "addi x10, x10, \(number)", ".option pop"]
        line("addi sp, sp, -32")
        line("sd ra, 0(sp)")
        line("sd x20, 8(sp)")
        line("sd x21, 16(sp)")
        writeStatements(2 + random.below(5))
        if random.once(in: 2) { writeLoop(counter: 20, deepest: 21, statements: 2 + random.below(4)) }
        if number + 1 < Self.functions, random.once(in: 2) { writeCall(from: number + 1) }
        writeStatements(1 + random.below(3))
        line("ld ra, 0(sp)")
        line("ld x20, 8(sp)")
        line("ld x21, 16(sp)")
        line("addi sp, sp, 32")
        line("ret")
    }

    private mutating func writeLoop(counter: Int, deepest: Int, statements: Int) {
        let start = label()
        line("li x\(counter), \(1 + random.below(12))")
        line("\(start):")
        for _ in 0..<statements {
            // Only the code that runs first calls from loops.
            if counter < 20, random.once(in: 4) {
                random.once(in: 2) ? writeCall(from: 0) : writeChange()
            } else if counter < deepest, random.once(in: 5) {
                writeLoop(counter: counter + 1, deepest: deepest, statements: 1 + statements / 2)
            } else {
                writeStatement()
            }
        }
        line("addi x\(counter), x\(counter), -1")
        line("bnez x\(counter), \(start)")
    }

    private mutating func writeCall(from lowest: Int) {
        let number = lowest + random.below(Self.functions - lowest)
        switch random.below(3) {
        case 0:
            line("la x23, \(name)_f\(number)")
            line("jalr ra, 0(x23)")
        default: line("call \(name)_f\(number)")
        }
    }

    mutating func writeStatements(_ count: Int) {
        for _ in 0..<count { writeStatement() }
    }
}
