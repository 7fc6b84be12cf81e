/// What one hart makes another see.
package enum RemoteFence: Equatable, Sendable {
    /// Code: FENCE.I.
    case instructions
    /// Translations of everything but guests of a hypervisor.
    case everything
    /// Translations of everything in the address spaces with an identifier, except for what is the same in all.
    case addressSpaces(identifier: UInt64)
    /// Translations of some pages, in all address spaces; `first` is the address of one.
    case pages(first: UInt64, count: Int)
    /// Translations of the guest with an identifier (VMID), or of all guests.
    case guests(identifier: UInt64?)
    /// Translations of a guest's address spaces with an identifier, except for what is the same in all.
    case guestAddressSpaces(guest: UInt64, identifier: UInt64)

    /// Beyond so many pages, everything costs less.
    package static let pageLimit = 64
}

/// Fences that a hart has to carry out. Each joins those before it, so that there are never many.
struct PendingFences {
    private(set) var instructions = false
    private(set) var everything = false
    private(set) var identifiers: [UInt64] = []
    private(set) var pages: [UInt64] = []
    private(set) var allGuests = false
    private(set) var guests: [UInt64] = []
    private(set) var guestSpaces: [GuestSpace] = []

    struct GuestSpace: Equatable {
        let guest: UInt64
        let identifier: UInt64
    }

    mutating func add(_ fence: RemoteFence) {
        switch fence {
        case .instructions: instructions = true
        case .everything: everything = true
        case .addressSpaces(let identifier): if !identifiers.contains(identifier) { identifiers.append(identifier) }
        case .pages(let first, let count):
            // Pages are those of guests as well.
            if pages.count + count > RemoteFence.pageLimit { (everything, allGuests) = (true, true) }
            if !(everything && allGuests) { for page in 0..<count { pages.append(first &+ UInt64(page) << 12) } }
        case .guests(nil): allGuests = true
        case .guests(let identifier?): if !guests.contains(identifier) { guests.append(identifier) }
        case .guestAddressSpaces(let guest, let identifier):
            let space = GuestSpace(guest: guest, identifier: identifier)
            if !guestSpaces.contains(space) { guestSpaces.append(space) }
        }
        if guests.count + guestSpaces.count > RecentGuests.count * 2 { allGuests = true }
        if allGuests {
            guests.removeAll()
            guestSpaces.removeAll()
        }
        if identifiers.count > RecentAddressSpaces.count { everything = true }
        if everything {
            identifiers.removeAll()
            if allGuests { pages.removeAll() }
        }
    }
}

extension HartState {
    mutating func carryOut(_ fences: PendingFences) {
        if fences.instructions {
            // Who removes code asks for this, and takes it for done when the fence is. What was known before that counts as known
            // until here: the run loop may have looked just before code began to be removed.
            forgetRemovedCode()
            synchronizeInstructions()
        }
        if fences.allGuests { flushGuests() }
        for guest in fences.guests { flushGuests(identifier: guest) }
        for space in fences.guestSpaces { flushGuestSpaces(guest: space.guest, identifier: space.identifier) }
        if fences.everything { flushSupervisorTranslations() }
        for identifier in fences.identifiers { flushTranslations(identifier: identifier) }
        for page in fences.pages { flushTranslations(of: page) }
    }
}
