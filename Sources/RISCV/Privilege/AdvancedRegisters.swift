/// The registers of the Advanced Interrupt Architecture 1.0 with state of their own (Smaia, Ssaia). The arrays of priorities (`iprio`,
/// `hviprio1`, `hviprio2`) are read-only zero, as its sections 5.2.1, 5.4.1 and 6.3.1 permit, and interrupts 13 to 63 do not exist: of mvien only
/// bits 1 and 9 are writable, and of hvien none.
struct AdvancedRegisters {
    // Which register of the window is in use: 0 to 0x1FF.
    var miselect: UInt64 = 0
    var siselect: UInt64 = 0
    var vsiselect: UInt64 = 0
    /// Interrupts of the supervisor that M-mode makes pending (section 5.3): bits 1 and 9.
    var mvien: UInt64 = 0
    /// Their pending bits. Those without a bit in mvien are 0 here: they are the bits of mip that software sets.
    var mvip: UInt64 = 0
    /// Their enable bits in sie, where mideleg does not delegate the interrupt.
    var sie: UInt64 = 0
    /// Guest interrupt files that make SGEIP pending.
    var hgeie: UInt64 = 0
    var hvictl: UInt64 = 0

    static let selectable: UInt64 = 0x1FF
    static let virtualInterrupts = Interrupt.ssip | Interrupt.seip

    /// hvictl.VTI: the hypervisor says which interrupt the guest has.
    var controlsGuest: Bool { hvictl & VirtualInterruptControl.vti != 0 }
}

extension HartState {
    /// The bits of sip that are those of mvip. A property of the registers would copy all of them.
    var virtualPending: UInt64 {
        @inline(__always) mutating get { csr.advanced.mvip & csr.advanced.mvien & ~csr.mideleg }
    }
}

/// Fields of hvictl (section 6.3.2).
enum VirtualInterruptControl {
    static let vti: UInt64 = 1 << 30
    /// The interrupt's number, of which 6 bits are implemented.
    static let iid: UInt64 = 63 << 16
    static let iidShift: UInt64 = 16
    /// The interrupt has a lower default priority than an external one.
    static let dpr: UInt64 = 1 << 9
    /// vstopi shows priorities.
    static let ipriom: UInt64 = 1 << 8
    static let iprio: UInt64 = 255

    static let writable = vti | iid | dpr | ipriom | iprio
}
