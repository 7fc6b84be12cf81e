internal import Machine

/// The registers of the two domains, and the wires. Bit maps have 32 sources a word.
struct APLICState: Sendable {
    let sources: Int
    /// Which bits stand for a source, a mask for each word; source 0 does not exist.
    let sourceMasks: [UInt32]
    /// The number of the guest interrupt file in a target of a message.
    let guestMask: UInt32
    /// Interrupts are signaled to harts, and there are no messages (domaincfg.DM is 0).
    let isDirect: Bool
    /// What the devices' wires show.
    var levels: [UInt32]
    private var domains: [APLICDomainState]

    // mmsiaddrcfg, mmsiaddrcfgh, smsiaddrcfg, smsiaddrcfgh.
    var addresses = InlineArray<4, UInt32>(repeating: 0)
    private static let addressMasks: InlineArray<4, UInt32> = [.max, 0x9F77_FFFF, .max, 0x0070_0FFF]
    func addressMask(_ number: Int) -> UInt32 { isDirect ? 0 : Self.addressMasks[number] }
    /// Bit L of mmsiaddrcfgh: nobody changes the addresses until a reset.
    var isLocked: Bool { addresses[1] >> 31 == 1 }

    /// Bit D of sourcecfg: the source belongs to the child domain.
    static let delegated: UInt32 = 1 << 10
    /// Target: the hart's index, and the identity of the interrupt there.
    static let hartShift: UInt32 = 18
    static let guestShift: UInt32 = 12
    static let identities: UInt32 = 0x7FF
    private static let hartMask: UInt32 = 0x3FFF << hartShift
    private static let messageMask = hartMask | identities
    /// The bits of genmsi, which is read-only zero without messages (section 4.5.15).
    var generatedMask: UInt32 { isDirect ? 0 : Self.messageMask }

    var words: Int { levels.count }

    init(sources: Int, guestIndexBits: UInt64) {
        self.init(sources: sources, guestMask: 1 << UInt32(guestIndexBits) - 1, harts: 0)
    }

    /// With direct delivery to so many harts.
    init(sources: Int, harts: Int) { self.init(sources: sources, guestMask: 0, harts: harts) }

    private init(sources: Int, guestMask: UInt32, harts: Int) {
        self.sources = sources
        self.guestMask = guestMask
        isDirect = harts > 0
        var masks = [UInt32](repeating: 0, count: sources / 32 + 1)
        for source in 1...sources { masks[source / 32] |= 1 << UInt32(source % 32) }
        sourceMasks = masks
        levels = Array(repeating: 0, count: masks.count)
        domains = Array(
            repeating: APLICDomainState(sources: sources, harts: harts), count: APLICLevel.allCases.count)
    }

    subscript(level: APLICLevel) -> APLICDomainState {
        get { domains[level.rawValue] }
        _modify { yield &domains[level.rawValue] }
    }

    // MARK: Sources (sections 4.5.2 and 4.7)

    /// Whether a source is this domain's to configure.
    private func belongs(_ source: Int, to level: APLICLevel) -> Bool {
        level == .machine || self[.machine].configurations[source] == Self.delegated
    }

    func mode(of source: Int, _ level: APLICLevel) -> SourceMode {
        let configuration = self[level].configurations[source]
        return configuration == Self.delegated ? .inactive : SourceMode(rawValue: configuration) ?? .inactive
    }

    /// The wire as the source's mode sees it: high for an interrupt.
    func rectified(_ source: Int, _ level: APLICLevel) -> Bool {
        let mode = mode(of: source, level)
        let isHigh = levels[source / 32] >> UInt32(source % 32) & 1 == 1
        return mode.hasWire && isHigh != mode.isInverted
    }

    /// Writes sourcecfg.
    mutating func configure(_ source: Int, _ value: UInt32, _ level: APLICLevel) {
        guard belongs(source, to: level) else { return }
        let isDelegated = value & Self.delegated != 0
        let mode = isDelegated ? .inactive : SourceMode(rawValue: value & 7) ?? .inactive
        let new = isDelegated && level == .machine ? Self.delegated : mode.rawValue
        if level == .machine, new != Self.delegated { self[.supervisor].forget(source) }
        if mode == .inactive { self[level].forget(source) }
        self[level].configurations[source] = new
        // There is no priority 0.
        if mode != .inactive, isDirect, self[level].targets[source] == 0 { self[level].targets[source] = 1 }
        if mode.isLevel { self[level].setPending(source, rectified(source, level)) }
    }

    mutating func setLevel(_ source: Int, _ isHigh: Bool) {
        let before = APLICLevel.allCases.map { rectified(source, $0) }
        let bit: UInt32 = 1 << UInt32(source % 32)
        if isHigh { levels[source / 32] |= bit } else { levels[source / 32] &= ~bit }
        for level in APLICLevel.allCases {
            let (old, new) = (before[level.rawValue], rectified(source, level))
            if new, !old { self[level].setPending(source, true) }
            if !new, mode(of: source, level).isLevel { self[level].setPending(source, false) }
        }
    }

    /// Software makes a source pending, or takes that back.
    mutating func setPending(_ source: Int, _ isPending: Bool, _ level: APLICLevel) {
        let mode = mode(of: source, level)
        // With direct delivery the pending bit of a level is the level.
        guard mode != .inactive, !mode.isLevel || !isDirect, !isPending || !mode.isLevel || rectified(source, level)
        else { return }
        self[level].setPending(source, isPending)
    }

    mutating func setEnabled(_ source: Int, _ isEnabled: Bool, _ level: APLICLevel) {
        guard mode(of: source, level) != .inactive else { return }
        self[level].setEnabled(source, isEnabled)
    }

    mutating func setTarget(_ source: Int, _ value: UInt32, _ level: APLICLevel) {
        guard mode(of: source, level) != .inactive else { return }
        let masked = value & targetMask(level)
        self[level].targets[source] = isDirect && masked & APLICInterface.priorityMask == 0 ? masked | 1 : masked
    }

    func targetMask(_ level: APLICLevel) -> UInt32 {
        if isDirect { return Self.hartMask | APLICInterface.priorityMask }
        return Self.messageMask | (level == .supervisor ? guestMask << Self.guestShift : 0)
    }

    /// Gives the supervisor's domain all sources.
    mutating func delegateAll() {
        for source in 1...sources { configure(source, Self.delegated, .machine) }
        self[.machine].delivers = true
    }

    // MARK: Messages (section 4.9)

    /// Sends the messages of sources that are pending and enabled, which are not pending then.
    mutating func forward(_ level: APLICLevel, _ send: (InterruptMessage) -> Void) {
        guard self[level].delivers else { return }
        for word in 0..<words {
            var ready = self[level].pending[word] & self[level].enabled[word]
            guard ready != 0 else { continue }
            self[level].pending[word] &= ~ready
            while ready != 0 {
                send(message(self[level].targets[word * 32 + ready.trailingZeroBitCount], level))
                ready &= ready &- 1
            }
        }
    }

    /// The message for a target. The hart's index leads to the page of its interrupt file, group and hart shifted to their places.
    func message(_ target: UInt32, _ level: APLICLevel) -> InterruptMessage {
        let hart = UInt64(target >> Self.hartShift)
        let guest = UInt64(target >> Self.guestShift & 0x3F)
        let layout = addresses[1]
        let own = level == .machine ? layout : addresses[3]
        let base = UInt64(own & 0xFFF) << 32 | UInt64(addresses[level == .machine ? 0 : 2])
        let (highShift, lowShift) = (UInt64(layout >> 24 & 31), UInt64(own >> 20 & 7))
        let (highWidth, lowWidth) = (UInt64(layout >> 16 & 7), UInt64(layout >> 12 & 15))
        let group = hart >> lowWidth & (1 << highWidth - 1)
        let member = hart & (1 << lowWidth - 1)
        let page = base | group << (highShift + 12) | member << lowShift | (level == .supervisor ? guest : 0)
        return InterruptMessage(address: page << 12, data: target & Self.identities)
    }

    mutating func setAddresses(machine: UInt64, supervisor: UInt64, hartIndexBits: UInt64) {
        let guestBits = UInt32(guestMask.nonzeroBitCount)
        addresses = [
            UInt32(truncatingIfNeeded: machine >> 12), 1 << 31 | UInt32(hartIndexBits) << 12 | UInt32(machine >> 44),
            UInt32(truncatingIfNeeded: supervisor >> 12), guestBits << 20 | UInt32(supervisor >> 44),
        ]
    }
}

/// The registers of one domain.
struct APLICDomainState: Sendable {
    /// domaincfg.IE.
    var delivers = false
    // Indexed by source.
    var configurations: [UInt32]
    var targets: [UInt32]
    // Bit maps.
    var pending: [UInt32]
    var enabled: [UInt32]
    /// genmsi.
    var generated: UInt32 = 0
    /// By the index of the hart; none with messages.
    var interfaces: [APLICInterface]

    init(sources: Int, harts: Int) {
        interfaces = Array(repeating: APLICInterface(), count: harts)
        configurations = Array(repeating: 0, count: sources + 1)
        targets = configurations
        pending = Array(repeating: 0, count: sources / 32 + 1)
        enabled = pending
    }

    mutating func setPending(_ source: Int, _ isPending: Bool) {
        pending[source / 32].replace(bit: source % 32, by: isPending)
    }

    mutating func setEnabled(_ source: Int, _ isEnabled: Bool) {
        enabled[source / 32].replace(bit: source % 32, by: isEnabled)
    }

    /// The source is not this domain's, or inactive in it.
    mutating func forget(_ source: Int) {
        (configurations[source], targets[source]) = (0, 0)
        setPending(source, false)
        setEnabled(source, false)
    }
}

/// sourcecfg.SM.
enum SourceMode: UInt32 {
    case inactive = 0
    /// Only software makes it pending.
    case detached = 1
    case risingEdge = 4
    case fallingEdge = 5
    case high = 6
    case low = 7

    var hasWire: Bool { rawValue >= 4 }
    var isInverted: Bool { self == .fallingEdge || self == .low }
    var isLevel: Bool { self == .high || self == .low }
}

extension UInt32 {
    fileprivate mutating func replace(bit: Int, by value: Bool) {
        let mask: UInt32 = 1 << UInt32(bit)
        self = value ? self | mask : self & ~mask
    }
}
