/// Numbers the guests of a hypervisor, and their address spaces, that a hart has used lately, as `RecentAddressSpaces` numbers
/// those of its own supervisor.
///
/// A guest is a value of hgatp, an address space one of vsatp together with it. Software that gives a VMID to another guest, or
/// changes G-stage page tables, fences (HFENCE.GVMA).
struct RecentGuests {
    /// The most guests, and the most address spaces of all guests.
    static let count = 4

    struct Space: Equatable {
        var satp: UInt64 = 0
        var hgatp: UInt64 = 0

        var identifier: UInt64 { satp >> 44 & 0xFFFF }
        var guestIdentifier: UInt64 { hgatp >> 44 & HypervisorRegisters.identifiers }
    }

    /// What caches have to do when an address space comes into use.
    struct Change {
        /// Nothing is known of the address space, or of the guest: what caches have under their numbers is another's.
        var isNewSpace = false
        var isNewGuest = false
        /// The guest used another address space before.
        var leavesSpace = false
    }

    /// The numbers of the address space and of the guest in use.
    private(set) var space = 0
    private(set) var guest = 0
    private var selected: Space?
    private var spaces = InlineArray<4, Space?>(repeating: nil)
    private var spaceUse = InlineArray<4, UInt64>(repeating: 0)
    /// By the number of a guest, the address space that it used last; nil where nothing is kept.
    private var guests = InlineArray<4, Space?>(repeating: nil)
    private var guestUse = InlineArray<4, UInt64>(repeating: 0)
    private var uses: UInt64 = 0

    /// Whether an address space is the one in use.
    @inline(__always)
    func isSelected(_ wanted: Space) -> Bool { selected == wanted }

    /// Makes an address space the one in use.
    mutating func select(_ wanted: Space) -> Change {
        uses += 1
        selected = wanted
        var change = Change()
        if let known = (0..<Self.count).first(where: { spaces[$0] == wanted }) {
            space = known
        } else {
            space = Self.oldest(spaceUse)
            spaces[space] = wanted
            change.isNewSpace = true
        }
        if let known = (0..<Self.count).first(where: { guests[$0]?.hgatp == wanted.hgatp }) {
            guest = known
            change.leavesSpace = guests[guest] != wanted
        } else {
            guest = Self.oldest(guestUse)
            change.isNewGuest = true
        }
        guests[guest] = wanted
        spaceUse[space] = uses
        guestUse[guest] = uses
        return change
    }

    private static func oldest(_ uses: InlineArray<4, UInt64>) -> Int {
        (1..<count).reduce(0) { uses[$1] < uses[$0] ? $1 : $0 }
    }

    /// The numbers of the guests with a VMID, or of all.
    func guests(identifier: UInt64?) -> [Int] {
        (0..<Self.count).filter { number in
            guests[number].map { identifier == nil || $0.guestIdentifier == identifier } ?? false
        }
    }

    /// The numbers of the address spaces with a VMID and an ASID, or of all.
    func spaces(guest: UInt64?, identifier: UInt64?) -> [Int] {
        (0..<Self.count).filter { number in
            spaces[number].map { known in
                (guest == nil || known.guestIdentifier == guest)
                    && (identifier == nil || known.identifier == identifier)
            } ?? false
        }
    }

    /// Forgets all.
    mutating func forgetAll() { self = RecentGuests() }
}
