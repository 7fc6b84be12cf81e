/// The control and status registers that hold state of their own. Those that are views of others, or constant, are made
/// in `readCSR`.
struct ControlRegisters {
    /// mstatus as it is read, so that generated code need not derive SD, UXL and SXL (Privileged Architecture 3.1.6).
    private(set) var status = Status.widths
    var mie: UInt64 = 0
    var medeleg: UInt64 = 0
    var mideleg: UInt64 = 0
    var mtvec: UInt64 = 0
    var mscratch: UInt64 = 0
    var mepc: UInt64 = 0
    var mcause: UInt64 = 0
    var mtval: UInt64 = 0
    var mcounteren: UInt64 = 0
    var menvcfg: UInt64 = 0
    var mcountinhibit: UInt64 = 0
    var stvec: UInt64 = 0
    var scounteren: UInt64 = 0
    var senvcfg: UInt64 = 0
    var sscratch: UInt64 = 0
    var sepc: UInt64 = 0
    var scause: UInt64 = 0
    var stval: UInt64 = 0
    var satp: UInt64 = 0
    /// Compared with the time when menvcfg.STCE is set (Sstc).
    var stimecmp: UInt64 = .max
    /// Accrued exceptions, bits 4:0 of fcsr.
    var fflags: UInt8 = 0
    /// Rounding mode, bits 7:5 of fcsr; 5 to 7 are reserved values that can be held.
    var frm: UInt8 = 0
    /// What `HartState.retired` lacks to mcycle and minstret; the counter itself while mcountinhibit stops it.
    var cycleOffset: UInt64 = 0
    var instretOffset: UInt64 = 0

    // The hypervisor extension. The registers above that supervisors use are those of the supervisor that runs: HS-mode's, or in
    // a guest VS-mode's, so that generated code is the same for both. `inactive` holds the other supervisor's.
    var inactive = SupervisorBank()
    /// FS of HS-mode's status while a guest runs, else `Status.fs`: the floating-point unit is on if both fields are.
    private(set) var outerFloat: UInt64 = Status.fs
    var hypervisor = HypervisorRegisters()

    // The Advanced Interrupt Architecture; all zero without it, but for a bit of mie (`Interrupt.virtual`).
    var advanced = AdvancedRegisters()

    /// Replaces the fields of mstatus that software can change.
    @inline(__always)
    mutating func setStatus(_ value: UInt64) {
        let dirty = value & Status.fs == Status.fs ? Status.sd : 0
        status = value & Status.stored | Status.widths | dirty
    }

    /// The floating-point unit's state differs from what was saved last.
    @inline(__always)
    mutating func setFloatingPointDirty() {
        status |= Status.fs | Status.sd
        outerFloat = Status.fs
    }

    /// Exchanges the registers of the two supervisors: when a guest begins or ceases to run.
    mutating func exchangeBanks(isVirtual: Bool) {
        var outgoing = SupervisorBank(
            status: status & Status.supervisorWritable, stvec: stvec, sscratch: sscratch, sepc: sepc, scause: scause,
            stval: stval, satp: satp)
        if isVirtual {
            outerFloat = status & Status.fs
        } else {
            inactive.status = inactive.status & ~Status.fs | outerFloat
            outerFloat = Status.fs
        }
        swap(&outgoing, &inactive)
        setStatus(status & ~Status.supervisorWritable | outgoing.status)
        stvec = outgoing.stvec
        sscratch = outgoing.sscratch
        sepc = outgoing.sepc
        scause = outgoing.scause
        stval = outgoing.stval
        satp = outgoing.satp
    }
}

/// Fields of mstatus and sstatus (Privileged Architecture 3.1.6 and 10.1.1).
enum Status {
    static let sie: UInt64 = 1 << 1
    static let mie: UInt64 = 1 << 3
    static let spie: UInt64 = 1 << 5
    static let mpie: UInt64 = 1 << 7
    static let spp: UInt64 = 1 << 8
    static let mpp: UInt64 = 3 << 11
    static let mppShift: UInt64 = 11
    /// Floating-point unit: 0 off, 1 initial, 2 clean, 3 dirty.
    static let fs: UInt64 = 3 << 13
    static let mprv: UInt64 = 1 << 17
    static let sum: UInt64 = 1 << 18
    static let mxr: UInt64 = 1 << 19
    static let tvm: UInt64 = 1 << 20
    static let tw: UInt64 = 1 << 21
    static let tsr: UInt64 = 1 << 22
    /// The trap's value is a guest-virtual address, and the trap came from a guest (hypervisor extension).
    static let gva: UInt64 = 1 << 38
    static let mpv: UInt64 = 1 << 39
    /// UXL and SXL: both 64 bits, read-only.
    static let widths: UInt64 = 2 << 32 | 2 << 34
    static let sd: UInt64 = 1 << 63

    /// What software can change through mstatus, and through sstatus.
    static let writable =
        sie | mie | spie | mpie | spp | mpp | fs | mprv | sum | mxr | tvm | tw | tsr
    /// With the hypervisor extension mstatus has all of these.
    static let stored = writable | gva | mpv
    static let supervisorWritable = sie | spie | spp | fs | sum | mxr
    static let supervisorVisible = supervisorWritable | sd | 3 << 32
}

/// Bits of mip and mie (Privileged Architecture 3.1.9).
enum Interrupt {
    static let ssip: UInt64 = 1 << 1
    static let msip: UInt64 = 1 << 3
    static let stip: UInt64 = 1 << 5
    static let mtip: UInt64 = 1 << 7
    static let seip: UInt64 = 1 << 9
    static let meip: UInt64 = 1 << 11
    static let supervisor = ssip | stip | seip
    static let all = supervisor | msip | mtip | meip
    // Interrupts of VS-mode, each one above the supervisor's of the same kind.
    static let vssip: UInt64 = 1 << 2
    static let vstip: UInt64 = 1 << 6
    static let vseip: UInt64 = 1 << 10
    static let guest = vssip | vstip | vseip
    /// An interrupt file of a guest that hgeie enables has an interrupt.
    static let sgeip: UInt64 = 1 << 12
    /// No bit of software's: some interrupt is pending and enabled that is not in mip and mie, because a mode above put it there (mvip, hvictl).
    /// A hart with the Advanced Interrupt Architecture has it set in mie, so that all who look for interrupts find it in the pending ones.
    static let virtual: UInt64 = 1 << 63
    /// Bit numbers from the highest priority to the lowest.
    static let byPriority: [UInt64] = [11, 3, 7, 9, 1, 5, 12, 10, 2, 6]
}

/// Bits of menvcfg and senvcfg (Privileged Architecture 3.1.18 and 10.1.10).
enum Environment {
    static let fiom: UInt64 = 1
    static let cbie: UInt64 = 3 << 4
    static let cbcfe: UInt64 = 1 << 6
    static let cbze: UInt64 = 1 << 7
    static let adue: UInt64 = 1 << 61
    static let pbmte: UInt64 = 1 << 62
    static let stce: UInt64 = 1 << 63
    static let supervisorWritable = fiom | cbie | cbcfe | cbze
    static let machineWritable = supervisorWritable | adue | pbmte | stce
    /// Those of henvcfg that are 0 while they are 0 in menvcfg.
    static let inherited = adue | pbmte | stce
}
