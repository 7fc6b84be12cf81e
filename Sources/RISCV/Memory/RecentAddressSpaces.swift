/// Numbers the address spaces that a hart has used lately, so that caches can keep what they know of each.
///
/// An address space is a value of satp. Those of guests are in `RecentGuests`. Software that gives an ASID to other page tables, or changes page tables, fences;
/// hardware may keep every translation until then (Privileged Architecture 10.2.1).
struct RecentAddressSpaces {
    static let count = 4

    /// The number of the address space in use.
    private(set) var current = 0
    /// By number; nil where nothing is kept.
    private var known = InlineArray<4, UInt64?>(repeating: nil)
    private var lastUse = InlineArray<4, UInt64>(repeating: 0)
    private var uses: UInt64 = 0

    /// Makes the address space of a value of satp the one in use. False when nothing is known of it: then what caches have
    /// under its number is another's.
    mutating func select(_ satp: UInt64) -> Bool {
        uses += 1
        var oldest = 0
        for number in 0..<Self.count {
            if known[number] == satp {
                current = number
                lastUse[number] = uses
                return true
            }
            if lastUse[number] < lastUse[oldest] { oldest = number }
        }
        current = oldest
        known[oldest] = satp
        lastUse[oldest] = uses
        return false
    }

    /// Whether the address space with a number is known and has an identifier, which is 16 bits of satp.
    func hasIdentifier(_ identifier: UInt64, _ number: Int) -> Bool {
        known[number].map { $0 >> 44 & 0xFFFF == identifier & 0xFFFF } ?? false
    }

    /// Forgets all but the number in use, which becomes that of `satp`.
    mutating func forgetAll(but satp: UInt64) {
        known = InlineArray(repeating: nil)
        lastUse = InlineArray(repeating: 0)
        known[current] = satp
    }
}
