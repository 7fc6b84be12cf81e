import GuestToolchain

/// Random cases with loops, calls, code that changes itself and pages that change their permissions, for the driver
/// `stress.S`, which interrupts them by a timer. What they leave behind does not depend on when.
struct StressProgram {
    static let memory = 8 << 20
    static let cases = 6
    /// Results, log and data, relative to the start of memory: all that is compared.
    static let dump = 0x40_0000..<0x45_0000
    /// Behind it: how many interrupts came, which is another number in each run.
    static let interrupts = 0x45_0060

    let seed: UInt64
    let text: String

    /// - Parameter isPortable: for QEMU 7.2 as well.
    init(seed: UInt64, isPortable: Bool = false) {
        self.seed = seed
        var random = FuzzRandom(seed: seed)
        let user = random.once(in: 2)
        let setsBits = isPortable ? 1 : random.below(2)
        var lines = [
            ".equ USER_BIT, \(user ? 0x10 : 0)", ".equ STATUS_MPP, \(user ? 0 : 0x800)",
            ".equ HARDWARE_DIRTY, \(setsBits)", ".equ TIMER_MASK, \(random.pick([0x7f, 0x3ff, 0xfff]))",
            ".equ CASES, \(Self.cases)", ".include \"stress.S\"",
        ]
        for index in 0..<Self.cases {
            var writer = StressCase(name: "c\(index)", random: random, isSupervisor: !user, isPortable: isPortable)
            writer.write()
            lines += writer.lines
            random = writer.random
        }
        lines += [".section .rodata", ".balign 4", "case_table:"]
        lines += (0..<Self.cases).map { ".word c\($0) - code_start" }
        text = lines.joined(separator: "\n") + "\n"
    }

    func image() throws -> [UInt8] { try Toolchain.assemble(text, at: Toolchain.base, isKept: false) }

    /// Compares two dumps: what differs, each in a line.
    static func differences(_ ours: [UInt8], _ theirs: [UInt8]) -> [String] {
        func word(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
            (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << (8 * UInt64($1)) }
        }
        return stride(from: 0, to: ours.count, by: 8).compactMap { offset in
            let one = word(ours, offset)
            let other = word(theirs, offset)
            if one == other { return nil }
            return "\(place(offset)): 0x\(String(one, radix: 16)) | 0x\(String(other, radix: 16))"
        }
    }

    /// The causes of the exceptions in a dump.
    static func causes(_ dump: [UInt8]) -> Set<UInt8> {
        Set(stride(from: 0x2_0000, to: 0x4_0000, by: 32).map { dump[$0] }.filter { $0 != 0 })
    }

    private static func place(_ offset: Int) -> String {
        switch offset {
        case ..<0x2_0000:
            let register = offset % 1024 / 8
            let name = register < 32 ? "x\(register)" : register < 64 ? "f\(register - 32)" : "fcsr"
            return "case \(offset / 1024) \(name)"
        case ..<0x4_0000:
            return "exception \((offset - 0x2_0000) / 32) \(["cause", "epc", "tval", "case"][offset % 32 / 8])"
        default:
            return "data 0x\(String(offset - 0x4_0000, radix: 16))"
        }
    }
}
