/// What a bare-metal program left behind.
struct GuestOutcome {
    enum End: Equatable {
        /// The program wrote this code to the test finisher; 0 is a pass.
        case exit(Int)
        /// It was still running when the watchdog ended it.
        case timedOut
    }

    let end: End
    /// What it wrote to the serial port at 0x10000000.
    let console: String
    /// The part of its memory that was asked for.
    let memory: [UInt8]
}

/// A machine that runs bare-metal programs: `-machine virt` of QEMU, or ours.
///
/// The program lies at 0x80000000, every hart starts there in M-mode with a0 = its number, and the program ends by writing
/// to the SiFive test finisher at 0x100000.
protocol GuestRunner: Sendable {
    var name: String { get }

    /// Optional features of the specification that this machine has.
    var features: Set<GuestFeature> { get }

    /// - Parameters:
    ///   - harts: 1 up to 8.
    ///   - memory: bytes from 0x80000000, whole MiB.
    ///   - dump: the memory to return, relative to 0x80000000.
    func run(_ program: [UInt8], harts: Int, memory: Int, dump: Range<Int>) throws -> GuestOutcome
}

/// What QEMU 7.2 lacks, or does in another way than the specification, and a test needs; the hart has all of it.
enum GuestFeature: CaseIterable {
    case zicond, zawrs, zicbom, zicboz
    /// mtval of a breakpoint is its address; the specification also allows QEMU's 0.
    case breakpointAddress
    /// csrrs and csrrc from a register that holds 0 are writes all the same, so they trap on a read-only register.
    case readOnlyWhateverTheOperand
    /// A misaligned AMO is cause 6; QEMU 7.2 reports 4.
    case storeCauseForAtomics
    /// ctzw of a register whose lower half is 0 is 32, whatever the upper half holds.
    case countOfLowerWord
}

extension GuestRunner {
    func run(_ program: [UInt8], harts: Int = 1) throws -> GuestOutcome {
        try run(program, harts: harts, memory: 32 << 20, dump: 0..<0)
    }
}

/// The machines that this host can run tests on.
enum GuestRunners {
    static let all: [any GuestRunner] = ours + [QEMURunner.installed].compactMap { $0 }

    /// For programs about what is an implementation's choice, or what QEMU 7.2's board lacks.
    static let ours: [any GuestRunner] = [AerieRunner()] + translating

    /// Every kind of code that the translator makes.
    static let translating = [false, true].flatMap { makesRegions in
        [false, true].map { AerieRunner(translates: true, makesRegions: makesRegions, isRelative: $0) }
    }
}
