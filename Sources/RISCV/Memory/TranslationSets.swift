internal import TranslationRuntime

// Which sets of the software TLB and of the jump cache a hart uses.
//
// There is a set for each address space that was used lately and each way in which permissions can be judged, so that switching
// processes, entering the kernel or letting it touch user memory flushes nothing. What only the supervisor may touch has one set
// for all address spaces, since kernels are mapped the same in them.

extension SoftwareTLB {
    enum Context {
        case user, supervisor, supervisorWithUserMemory, machine
    }

    // Two for each address space, one for the supervisor, one for M-mode.
    private static let supervisorSet = RecentAddressSpaces.count * 2
    private static let machineSet = RecentAddressSpaces.count * 2 + 1

    /// A hart's TLB.
    static func ofHart() -> SoftwareTLB { SoftwareTLB(setCount: machineSet + 1) }

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
}

extension JumpCache {
    // One for users of each address space, one for the supervisor, one for M-mode.
    private static let supervisorSet = RecentAddressSpaces.count
    private static let machineSet = RecentAddressSpaces.count + 1

    /// A hart's jump cache.
    static func ofHart() -> JumpCache { JumpCache(setCount: machineSet + 1) }

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
}
