/// The memory that a guest lends to its host under pressure: a pure function of the times and figures that it gets.
///
/// The balloon takes a step at each look while the pressure is high, and never more than the guest can spare. It gives back a step at each look
/// when the pressure has been low for a while, and at once when the guest itself runs short.
struct MemoryLoan {
    /// The guest's figures at one moment, in bytes.
    struct Guest {
        /// The memory that the guest shall have by its owner's wish.
        var allowed: UInt64
        /// The memory that the balloon shall still take, and has not taken yet.
        var outstanding: UInt64
        /// The memory that the guest's programs could have.
        var available: UInt64
    }

    private static let page: UInt64 = 4096
    private static let leastStep: UInt64 = 16 << 20
    private static let leastReserve: UInt64 = 64 << 20

    /// Nanoseconds of low pressure before memory is given back.
    let calm: UInt64
    /// Bytes that the guest lends: whole pages.
    private(set) var lent: UInt64 = 0
    /// When the pressure became low; nil while it is not.
    private var lowSince: UInt64?

    init(calm: UInt64) { self.calm = calm }

    /// - Parameters:
    ///   - now: nanoseconds of a steady clock.
    ///   - guest: nil while there are no figures that are newer than the last change.
    /// - Returns: whether `lent` has changed.
    mutating func look(now: UInt64, level: PressureLevel, guest: Guest?) -> Bool {
        if level == .low { lowSince = lowSince ?? now } else { lowSince = nil }
        let before = lent
        let reserve = guest.map { Self.reserve(of: $0.allowed) } ?? 0
        if let guest, lent > 0, guest.available < reserve / 2 {
            // The guest's own need goes before the host's.
            give(max(Self.step(of: guest.allowed), reserve - guest.available))
        } else if let guest, level == .high {
            take(from: guest, reserve: reserve)
        } else if let lowSince, now - min(lowSince, now) >= calm {
            // Without figures, too: a guest whose driver has gone must not stay small.
            give(guest.map { Self.step(of: $0.allowed) } ?? Self.leastStep)
        }
        return lent != before
    }

    private mutating func take(from guest: Guest, reserve: UInt64) {
        let wanted = reserve + guest.outstanding
        guard guest.available > wanted else { return }
        let spare = min(guest.available - wanted, Self.step(of: guest.allowed))
        let most = guest.allowed - min(guest.allowed, Self.least(of: guest.allowed))
        lent = max(lent, min(lent + spare, most)) / Self.page * Self.page
    }

    private mutating func give(_ bytes: UInt64) {
        lent = (lent - min(lent, bytes)) / Self.page * Self.page
    }

    /// The bytes of one step.
    static func step(of size: UInt64) -> UInt64 { max(size / 8, leastStep) }

    /// The available bytes that a guest keeps for itself.
    static func reserve(of size: UInt64) -> UInt64 { max(size / 8, leastReserve) }

    /// The least memory of a guest, whatever it says about itself.
    private static func least(of size: UInt64) -> UInt64 { max(size / 4, leastReserve) }
}
