internal import TranslationRuntime

// What caches keep of a hypervisor's guests, and forget.

extension HartState {
    /// Makes the guest's address space, which has changed, the one in use.
    mutating func selectGuest() {
        let space = RecentGuests.Space(
            satp: isVirtual ? csr.satp : csr.inactive.satp, hgatp: csr.hypervisor.hgatp)
        if guests.isSelected(space) { return }
        let change = guests.select(space)
        if change.isNewSpace {
            data.forgetGuestSpace(guests.space)
            fetch.forgetGuestSpace(guests.space)
        }
        if change.isNewGuest {
            data.forgetGuest(guests.guest)
            fetch.forgetGuest(guests.guest)
        } else if change.leavesSpace {
            data.leaveGuestSpace(guests.guest)
            fetch.leaveGuestSpace(guests.guest)
        }
    }

    /// Forgets every translation of a guest, by its VMID; nil stands for all guests.
    mutating func flushGuests(identifier: UInt64? = nil) {
        for guest in guests.guests(identifier: identifier) {
            data.forgetGuest(guest)
            fetch.forgetGuest(guest)
        }
        for space in guests.spaces(guest: identifier, identifier: nil) {
            data.forgetGuestSpace(space)
            fetch.forgetGuestSpace(space)
        }
        contextChanged()
    }

    /// Forgets every translation of a guest's address spaces with an identifier, except for what is the same in all.
    mutating func flushGuestSpaces(guest: UInt64, identifier: UInt64) {
        for space in guests.spaces(guest: guest, identifier: identifier & 0xFFFF) {
            data.forgetGuestSpace(space)
            fetch.forgetGuestSpace(space)
        }
        for number in guests.guests(identifier: guest) {
            data.leaveGuestSpace(number)
            fetch.leaveGuestSpace(number)
        }
        contextChanged()
    }
}
