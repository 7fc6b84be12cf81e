/// The registers that a supervisor has in HS-mode and in VS-mode.
struct SupervisorBank {
    /// The fields of `Status.supervisorWritable`.
    var status: UInt64 = 0
    var stvec: UInt64 = 0
    var sscratch: UInt64 = 0
    var sepc: UInt64 = 0
    var scause: UInt64 = 0
    var stval: UInt64 = 0
    var satp: UInt64 = 0
}

/// The registers of the hypervisor extension with state of their own (Privileged Architecture, chapter "H"). Without guest interrupt files
/// GEILEN is 0, and hgeip, hgeie and hstatus.VGEIN with it.
struct HypervisorRegisters {
    var hstatus: UInt64 = 0
    var hedeleg: UInt64 = 0
    var hideleg: UInt64 = 0
    /// The pending interrupts of VS-mode that software sets.
    var hvip: UInt64 = 0
    var hcounteren: UInt64 = 0
    var henvcfg: UInt64 = 0
    var htimedelta: UInt64 = 0
    var htval: UInt64 = 0
    var htinst: UInt64 = 0
    var hgatp: UInt64 = 0
    var vstimecmp: UInt64 = .max
    var mtval2: UInt64 = 0
    var mtinst: UInt64 = 0
    // State enables (Smstateen, Ssstateen).
    var mstateen = InlineArray<4, UInt64>(repeating: 0)
    var hstateen = InlineArray<4, UInt64>(repeating: 0)

    /// The number of the guest, which tags its translations.
    var guestIdentifier: UInt64 { hgatp >> 44 & Self.identifiers }
    static let identifiers: UInt64 = 1 << 14 - 1

    /// Causes that hedeleg passes to VS-mode: those that a guest can raise and handle (table "Bits of hedeleg").
    static let delegable: UInt64 = 0xB1FF
    /// Causes that only the extension has, in medeleg: calls from VS-mode, guest-page faults, virtual instructions.
    static let causes: UInt64 = 1 << 10 | 15 << 20

    mutating func setTranslation(_ value: UInt64, widest: PagingMode) {
        // An unsupported mode leaves the mode as it was; the root table is four pages, aligned to their size.
        let mode = widest.accepts(satp: value) ? value & Self.mode : hgatp & Self.mode
        hgatp = mode | value & (Self.identifiers << 44 | (1 << 44 - 4))
    }

    private static let mode: UInt64 = 15 << 60
}

/// Fields of hstatus.
enum HypervisorStatus {
    static let gva: UInt64 = 1 << 6
    /// The trap to HS-mode came from a guest.
    static let spv: UInt64 = 1 << 7
    /// The guest's privilege at the last trap from it, at which HLV and HSV access memory: VS-mode, or VU-mode.
    static let spvp: UInt64 = 1 << 8
    /// Users may execute HLV and HSV.
    static let hu: UInt64 = 1 << 9
    /// The guest interrupt file of the guest; 0 for none.
    static let vgein: UInt64 = 63 << 12
    static let vgeinShift: UInt64 = 12
    static let vtvm: UInt64 = 1 << 20
    static let vtw: UInt64 = 1 << 21
    static let vtsr: UInt64 = 1 << 22
    /// VSXL: 64 bits, read-only.
    static let width: UInt64 = 2 << 32

    static let writable = gva | spv | spvp | hu | vtvm | vtw | vtsr
}

/// Bits of mstateen0 and hstateen0 for state that the hart has; mstateen1 to 3 have only `stateEnables`.
enum StateEnable {
    // The Advanced Interrupt Architecture, section 2.5: the state of interrupt files, other state, and the windows to both.
    static let interruptFiles: UInt64 = 1 << 58
    static let advancedInterrupts: UInt64 = 1 << 59
    static let indirect: UInt64 = 1 << 60
    static let environment: UInt64 = 1 << 62
    static let stateEnables: UInt64 = 1 << 63

    static func writable(_ number: Int, on extensions: ExtensionSet) -> UInt64 {
        guard number == 0 else { return stateEnables }
        let advanced = extensions.contains(.ssaia) ? interruptFiles | advancedInterrupts | indirect : 0
        return environment | stateEnables | advanced
    }
}
