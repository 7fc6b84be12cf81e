internal import TranslationRuntime

// Which sets of the software TLB and of the jump cache a hart uses.
//
// There is a set for each address space that was used lately and each way in which permissions can be judged, so that switching
// processes, entering the kernel or letting it touch user memory flushes nothing. What only the supervisor may touch has one set
// for all address spaces, since kernels are mapped the same in them.
//
// Guests of a hypervisor have sets of their own behind these, if the hart has the extension: for users and for user memory one for
// each of their address spaces, for the supervisor one for each guest. A set maps guest-virtual pages straight to memory.

extension SoftwareTLB {
    enum Context {
        case user, supervisor, supervisorWithUserMemory, machine
    }

    // Two for each address space, one for the supervisor, one for M-mode.
    private static let supervisorSet = RecentAddressSpaces.count * 2
    private static let machineSet = RecentAddressSpaces.count * 2 + 1
    private static let guestUserSets = machineSet + 1
    private static let guestUserMemorySets = guestUserSets + RecentGuests.count
    private static let guestSupervisorSets = guestUserMemorySets + RecentGuests.count

    /// A hart's TLB.
    static func ofHart(hasHypervisor: Bool) -> SoftwareTLB {
        SoftwareTLB(setCount: hasHypervisor ? guestSupervisorSets + RecentGuests.count : guestUserSets)
    }

    private static func set(_ space: Int, _ context: Context) -> Int {
        switch context {
        case .user: space
        case .supervisorWithUserMemory: RecentAddressSpaces.count + space
        case .supervisor: supervisorSet
        case .machine: machineSet
        }
    }

    /// Uses the set of an address space, as `RecentAddressSpaces` numbers them, and a context.
    mutating func select(_ space: Int, _ context: Context) { select(Self.set(space, context)) }

    /// Forgets what is known of an address space. Call `select` afterwards.
    mutating func forget(_ space: Int) {
        clear(Self.set(space, .user))
        clear(Self.set(space, .supervisorWithUserMemory))
        leaveSpace()
    }

    /// Forgets what only holds in the address space that was used so far. Call `select` afterwards.
    mutating func leaveSpace() { clearIfPrivate(Self.supervisorSet) }

    /// Forgets everything but guests. Call `select` afterwards.
    mutating func forgetAllSpaces() {
        for set in 0..<Self.guestUserSets { clear(set) }
    }

    // MARK: Guests

    /// Uses a set of the address space and the guest in use, for users or for the supervisor of the guest.
    mutating func select(_ guests: RecentGuests, _ context: Context) {
        switch context {
        case .user: select(Self.guestUserSets + guests.space)
        case .supervisorWithUserMemory: select(Self.guestUserMemorySets + guests.space)
        // Guests have no M-mode.
        case .supervisor, .machine: select(Self.guestSupervisorSets + guests.guest)
        }
    }

    /// Forgets what is known of a guest's address space, but for its supervisor's. Call `select` afterwards.
    mutating func forgetGuestSpace(_ space: Int) {
        clear(Self.guestUserSets + space)
        clear(Self.guestUserMemorySets + space)
    }

    /// Forgets what a guest's supervisor may touch. Call `select` afterwards.
    mutating func forgetGuest(_ guest: Int) { clear(Self.guestSupervisorSets + guest) }

    /// Forgets of it what only holds in the address space that the guest used so far. Call `select` afterwards.
    mutating func leaveGuestSpace(_ guest: Int) { clearIfPrivate(Self.guestSupervisorSets + guest) }
}

extension JumpCache {
    // One for users of each address space, one for the supervisor, one for M-mode.
    private static let supervisorSet = RecentAddressSpaces.count
    private static let machineSet = RecentAddressSpaces.count + 1
    private static let guestUserSets = machineSet + 1
    private static let guestSupervisorSets = guestUserSets + RecentGuests.count

    /// A hart's jump cache.
    static func ofHart(hasHypervisor: Bool) -> JumpCache {
        JumpCache(setCount: hasHypervisor ? guestSupervisorSets + RecentGuests.count : guestUserSets)
    }

    /// Uses the set of an address space, as `RecentAddressSpaces` numbers them, and a privilege mode.
    mutating func select(_ space: Int, _ privilege: PrivilegeMode) {
        switch privilege {
        case .user: select(space)
        case .supervisor: select(Self.supervisorSet)
        case .machine: select(Self.machineSet)
        }
    }

    /// Forgets what is known of an address space. Call `select` afterwards.
    mutating func forget(_ space: Int) {
        clear(space)
        leaveSpace()
    }

    /// Forgets what only holds in the address space that was used so far. Call `select` afterwards.
    mutating func leaveSpace() { clearIfPrivate(Self.supervisorSet) }

    /// Forgets everything but guests. Call `select` afterwards.
    mutating func forgetAllSpaces() {
        for set in 0..<Self.guestUserSets { clear(set) }
    }

    // MARK: Guests, as in the TLB

    mutating func select(_ guests: RecentGuests, _ privilege: PrivilegeMode) {
        select(privilege == .user ? Self.guestUserSets + guests.space : Self.guestSupervisorSets + guests.guest)
    }

    mutating func forgetGuestSpace(_ space: Int) { clear(Self.guestUserSets + space) }

    mutating func forgetGuest(_ guest: Int) { clear(Self.guestSupervisorSets + guest) }

    mutating func leaveGuestSpace(_ guest: Int) { clearIfPrivate(Self.guestSupervisorSets + guest) }
}
