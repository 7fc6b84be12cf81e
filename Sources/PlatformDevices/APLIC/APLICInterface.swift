/// A hart's interrupt delivery control structure (IDC) in a domain with direct delivery (Advanced Interrupt Architecture 1.0, section 4.8.1),
/// 32 bytes:
///
///     0x00  idelivery: whether the hart gets interrupts
///     0x04  iforce: 1 signals one without a source
///     0x08  ithreshold: priority numbers from it on are not signaled; 0: all are
///     0x18  topi: the best interrupt (identity << 16 | priority), read only
///     0x1C  claimi: the same; a read claims it
struct APLICInterface: Sendable {
    static let size = 32
    /// IPRIOLEN is 8.
    static let priorityMask: UInt32 = 0xFF

    var delivers = false
    var isForced = false
    var threshold: UInt32 = 0
    /// What the hart's line shows.
    var isSignaled = false

    enum Register: Int {
        case delivery = 0
        case force = 4
        case threshold = 8
        case top = 0x18
        case claim = 0x1C
    }
}

extension APLICState {
    /// The best interrupt of a hart: the lowest priority number, and of equal ones the lowest source; 0: none that is pending and enabled passes
    /// the threshold.
    func top(_ hart: Int, _ level: APLICLevel) -> UInt32 {
        let threshold = self[level].interfaces[hart].threshold
        var best: (source: Int, priority: UInt32) = (0, threshold == 0 ? .max : threshold)
        for word in 0..<words {
            var ready = self[level].pending[word] & self[level].enabled[word]
            while ready != 0 {
                let source = word * 32 + ready.trailingZeroBitCount
                ready &= ready &- 1
                let target = self[level].targets[source]
                let priority = target & APLICInterface.priorityMask
                if Int(target >> Self.hartShift) == hart, priority < best.priority { best = (source, priority) }
            }
        }
        return best.source == 0 ? 0 : UInt32(best.source) << 16 | best.priority
    }

    /// A read of claimi. Only interrupts that are no levels are pending no longer (section 4.7); without any, none is forced.
    mutating func claim(_ hart: Int, _ level: APLICLevel) -> UInt32 {
        let top = top(hart, level)
        if top == 0 { self[level].interfaces[hart].isForced = false } else { setPending(Int(top >> 16), false, level) }
        return top
    }

    /// Whether the hart's external interrupt is pending (section 4.8.2).
    func isSignaled(_ hart: Int, _ level: APLICLevel) -> Bool {
        let interface = self[level].interfaces[hart]
        guard self[level].delivers, interface.delivers else { return false }
        return interface.isForced || top(hart, level) != 0
    }

    func load(_ register: APLICInterface.Register, ofHart hart: Int, _ level: APLICLevel) -> UInt32 {
        let interface = self[level].interfaces[hart]
        return switch register {
        case .delivery: interface.delivers ? 1 : 0
        case .force: interface.isForced ? 1 : 0
        case .threshold: interface.threshold
        // A read of claimi that is no claim, as a debugger's would be.
        case .top, .claim: top(hart, level)
        }
    }

    /// Of other values than 0 and 1, registers with one bit take that bit.
    mutating func store(_ register: APLICInterface.Register, _ value: UInt32, ofHart hart: Int, _ level: APLICLevel) {
        switch register {
        case .delivery: self[level].interfaces[hart].delivers = value & 1 == 1
        case .force: self[level].interfaces[hart].isForced = value & 1 == 1
        case .threshold: self[level].interfaces[hart].threshold = value & APLICInterface.priorityMask
        case .top, .claim: break
        }
    }

    /// Makes the pending bits of levels what direct delivery has for them.
    mutating func copyLevels(_ level: APLICLevel) {
        for source in 1...sources where mode(of: source, level).isLevel {
            self[level].setPending(source, rectified(source, level))
        }
    }
}
