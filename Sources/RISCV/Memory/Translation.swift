internal import TranslationRuntime

/// Where a virtual page lies, and what may be done there without asking again.
struct Translation {
    /// Guest-physical address of the 4 KiB page.
    var page: UInt64
    var readable: Bool
    /// False also while the D bit is clear, so that the first store comes here.
    var writable: Bool
    var executable: Bool
    /// Bytes of the page or NAPOT range that the 4 KiB are part of.
    var size: UInt64
    /// The same in all address spaces.
    var isGlobal: Bool
    /// The answer holds for every access within the page, so that it can be cached.
    var isUniform: Bool
}

/// How a memory access is judged: the mode and the bits of mstatus that count for it.
struct AccessContext {
    let privilege: PrivilegeMode
    let userMemory: Bool
    let executableReadable: Bool
    /// The address is a guest's, translated in two stages.
    var isVirtual = false
    /// MXR for the G-stage, which is HS-mode's.
    var isExecutableReadableInGuestStage = false
    /// A load that needs the permission to execute instead of that to read (HLVX).
    var executes = false
}

extension HartState {
    /// Translates an access of `count` bytes inside one page, and checks it against page tables and PMP.
    ///
    /// Throws the page fault, guest-page fault or access fault with the virtual address as its value.
    mutating func translate(
        _ address: UInt64, count: UInt64, for kind: AccessKind, in context: AccessContext
    ) throws(Trap) -> Translation {
        var translation = Translation(
            page: address & ~0xFFF, readable: true, writable: true, executable: true, size: 4096,
            isGlobal: false, isUniform: true)
        if context.isVirtual {
            translation = try walkGuest(address, for: kind, in: context)
        } else if context.privilege != .machine, csr.satp >> 60 != 0 {
            translation = try walk(address, .supervisor(csr), for: kind, in: context)
        }
        let whole = protection.verdict(translation.page, count: 4096, privilege: context.privilege)
        if whole.uniform {
            guard whole.allows(kind) else { throw Trap(kind.accessFault, value: address) }
            translation.readable = translation.readable && whole.readable
            translation.writable = translation.writable && whole.writable
            translation.executable = translation.executable && whole.executable
        } else {
            let physical = translation.page | address & 0xFFF
            let part = protection.verdict(physical, count: count, privilege: context.privilege)
            guard part.allows(kind) else { throw Trap(kind.accessFault, value: address) }
            translation.isUniform = false
        }
        return translation
    }

    /// The way loads and stores are judged now, MPRV considered (Privileged Architecture 3.1.6.3).
    var dataContext: AccessContext {
        mutating get {
            var effective = privilege
            var isGuest = isVirtual
            if usesGuestMemory {
                effective = csr.hypervisor.hstatus & HypervisorStatus.spvp != 0 ? .supervisor : .user
                isGuest = true
            } else if privilege == .machine, csr.status & Status.mprv != 0 {
                effective = PrivilegeMode(rawValue: UInt8(csr.status >> Status.mppShift & 3)) ?? .user
                isGuest = csr.status & Status.mpv != 0 && effective != .machine
            }
            if isGuest { return guestContext(effective) }
            return AccessContext(
                privilege: effective, userMemory: csr.status & Status.sum != 0,
                executableReadable: csr.status & Status.mxr != 0)
        }
    }

    /// The way a guest's loads and stores are judged at a privilege.
    mutating func guestContext(_ privilege: PrivilegeMode) -> AccessContext {
        let (guest, host) =
            isVirtual ? (csr.status, csr.inactive.status) : (csr.inactive.status, csr.status)
        return AccessContext(
            privilege: privilege, userMemory: guest & Status.sum != 0,
            executableReadable: (guest | host) & Status.mxr != 0, isVirtual: true,
            isExecutableReadableInGuestStage: host & Status.mxr != 0)
    }

    /// Call it when privilege, the guest's or the machine's view of memory, MPRV, MPP or SUM changed.
    mutating func contextChanged() {
        let context = dataContext
        let kind: SoftwareTLB.Context =
            switch context.privilege {
            case .user: .user
            case .supervisor: context.userMemory ? .supervisorWithUserMemory : .supervisor
            case .machine: .machine
            }
        if context.isVirtual || isVirtual { selectGuest() }
        if context.isVirtual { data.select(guests, kind) } else { data.select(spaces.current, kind) }
        if isVirtual { fetch.select(guests, privilege) } else { fetch.select(spaces.current, privilege) }
    }

    /// Call it when satp changed.
    mutating func addressSpaceChanged() {
        if isVirtual { return contextChanged() }
        if spaces.select(csr.satp) {
            data.leaveSpace()
            fetch.leaveSpace()
        } else {
            data.forget(spaces.current)
            fetch.forget(spaces.current)
        }
        contextChanged()
    }

    /// Forgets every translation of data and instructions.
    mutating func flushTranslations() {
        spaces.forgetAll(but: isVirtual ? csr.inactive.satp : csr.satp)
        guests.forgetAll()
        data.clearAll()
        fetch.clearAll()
        contextChanged()
    }

    /// Forgets what is known of loads and stores.
    mutating func flushDataTranslations() {
        data.clearAll()
        contextChanged()
    }

    /// Forgets every translation but those of guests.
    mutating func flushSupervisorTranslations() {
        spaces.forgetAll(but: isVirtual ? csr.inactive.satp : csr.satp)
        data.forgetAllSpaces()
        fetch.forgetAllSpaces()
        contextChanged()
    }

    /// Forgets every translation of the page that an address is in, in all address spaces.
    mutating func flushTranslations(of address: UInt64) {
        data.drop(address)
        fetch.drop(address)
        contextChanged()
    }

    /// Forgets every translation of the address spaces with an identifier, except for what is the same in all.
    mutating func flushTranslations(identifier: UInt64) {
        for number in 0..<RecentAddressSpaces.count where spaces.hasIdentifier(identifier, number) {
            data.forget(number)
            fetch.forget(number)
        }
        contextChanged()
    }

    /// Forgets what is known of instructions in all address spaces.
    mutating func flushInstructions() {
        fetch.clearAll()
        contextChanged()
    }
}
