/// The APLIC of a guest whose vCPUs have interrupt files: a supervisor's domain with 31 sources, which sends messages for the wires of the
/// guest's devices (Advanced Interrupt Architecture 1.0, chapter 4; the registers are listed in APLIC.swift). Bit maps have a bit for each source.
struct VirtualAPLIC {
    static let address: UInt64 = 0x0d00_0000
    static let size: UInt64 = 0x8000
    /// Where a guest sees the interrupt files of its vCPUs, a page each.
    static let files: UInt64 = 0x2800_0000
    static let sources = 31
    /// A target's hart and identity: there are no guest interrupt files behind it.
    private static let targetMask: UInt32 = 0x3fff << 18 | 0x7ff

    private var delivers = false
    private var modes = InlineArray<32, UInt8>(repeating: 0)
    private var targets = InlineArray<32, UInt32>(repeating: 0)
    private var generated: UInt32 = 0
    /// Sources that are not inactive, that have a wire, whose wire is inverted, and whose wire is a level (section 4.5.2).
    private var active: UInt32 = 0
    private var wired: UInt32 = 0
    private var inverted: UInt32 = 0
    private var leveled: UInt32 = 0
    private var pending: UInt32 = 0
    private var enabled: UInt32 = 0

    /// The wires of the devices.
    var levels: UInt32 = 0 {
        didSet {
            let before = (oldValue ^ inverted) & wired
            pending |= inputs & ~before
            pending &= inputs | ~leveled
        }
    }

    /// The wires as the sources' modes see them: high for an interrupt.
    private var inputs: UInt32 { (levels ^ inverted) & wired }

    /// The target of a source that is pending and enabled, whose message is sent now; nil: there is none.
    mutating func takeMessage() -> UInt32? {
        let ready = pending & enabled
        guard delivers, ready != 0 else { return nil }
        let source = ready.trailingZeroBitCount
        pending &= ~(1 << UInt32(source))
        return targets[source]
    }

    func load(_ offset: UInt64) -> UInt32 {
        switch offset {
        case 0: return 0x8000_0004 | (delivers ? 0x100 : 0)
        case 4..<0x80: return UInt32(modes[Int(offset / 4)])
        case 0x1c00: return pending
        case 0x1d00: return inputs
        case 0x1e00: return enabled
        case 0x3000: return generated
        case 0x3004..<0x3080: return targets[Int(offset - 0x3000) / 4]
        default: return 0
        }
    }

    /// - Returns: the target of a message that the guest sends itself (genmsi).
    mutating func store(_ offset: UInt64, _ value: UInt32) -> UInt32? {
        let bit: UInt32 = value < 32 ? 1 << value : 0
        switch offset {
        case 0: delivers = value & 0x100 != 0
        case 4..<0x80: configure(Int(offset / 4), value)
        case 0x1c00: setPending(value)
        case 0x1cdc, 0x2000: setPending(bit)
        case 0x2004: setPending(value.byteSwapped < 32 ? 1 << value.byteSwapped : 0)
        case 0x1d00: pending &= ~value
        case 0x1ddc: pending &= ~bit
        case 0x1e00: enabled |= value & active
        case 0x1edc: enabled |= bit & active
        case 0x1f00: enabled &= ~value
        case 0x1fdc: enabled &= ~bit
        case 0x3000:
            generated = value & Self.targetMask
            return generated
        case 0x3004..<0x3080:
            let source = Int(offset - 0x3000) / 4
            if modes[source] != 0 { targets[source] = value & Self.targetMask }
        default: break
        }
        return nil
    }

    /// A level is made pending by its wire only (section 4.7).
    private mutating func setPending(_ bits: UInt32) { pending |= bits & active & (inputs | ~leveled) }

    /// Writes sourcecfg. Modes 2 and 3 are reserved, and no child domain could get the source (bit 10).
    private mutating func configure(_ source: Int, _ value: UInt32) {
        let isValid = value & 1 << 10 == 0 && value & 7 != 2 && value & 7 != 3
        let mode = isValid ? value & 7 : 0
        let bit: UInt32 = 1 << UInt32(source)
        func with(_ map: UInt32, _ isSet: Bool) -> UInt32 { isSet ? map | bit : map & ~bit }
        modes[source] = UInt8(mode)
        active = with(active, mode != 0)
        wired = with(wired, mode >= 4)
        inverted = with(inverted, mode == 5 || mode == 7)
        leveled = with(leveled, mode >= 6)
        if mode == 0 {
            (pending, enabled) = (pending & ~bit, enabled & ~bit)
            targets[source] = 0
        } else if mode >= 6 {
            pending = with(pending, inputs & bit != 0)
        }
    }
}
