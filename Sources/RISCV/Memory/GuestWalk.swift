// Two-stage translation (Privileged Architecture, chapter "H": "Two-stage address translation"). The VS-stage takes a guest-virtual
// address to a guest-physical one by the guest's page tables, the G-stage that to a physical one by the hypervisor's.

extension HartState {
    /// Translates a guest-virtual address by both stages.
    mutating func walkGuest(
        _ address: UInt64, for kind: AccessKind, in context: AccessContext
    ) throws(Trap) -> Translation {
        let satp = isVirtual ? csr.satp : csr.inactive.satp
        var translation = Translation(
            page: address & ~0xFFF, readable: true, writable: true, executable: true, size: 4096,
            isGlobal: false, isUniform: true)
        if satp >> 60 != 0 {
            translation = try walk(
                address, .guest(satp: satp, environment: guestEnvironment), for: kind, in: context)
        }
        let physical = translation.page | address & 0xFFF
        let faults = WalkFaults(
            page: Trap(guestPageFault: kind, value: address, guestPhysical: physical, pseudoinstruction: 0),
            access: Trap(kind.accessFault, value: address))
        let second = try walkGuestPhysical(physical, for: kind, in: context, faults: faults)
        translation.page = second.page
        translation.readable = translation.readable && second.readable
        translation.writable = translation.writable && second.writable
        translation.executable = translation.executable && second.executable
        // Fences for one guest-virtual address are about the VS-stage's page; those for the G-stage forget the whole guest.
        return translation
    }

    /// The physical address of an entry of the guest's page tables, at a guest-physical address.
    ///
    /// - Parameters:
    ///   - kind: load, or store to set A or D bits.
    ///   - faults: of the access that the entry is needed for.
    mutating func tablePlace(
        _ place: UInt64, for kind: AccessKind, faults: WalkFaults, in context: AccessContext
    ) throws(Trap) -> UInt64 {
        // A read or a write of 64 bits for VS-stage address translation.
        let pseudoinstruction: UInt64 = kind == .store ? 0x3020 : 0x3000
        let original: AccessKind =
            switch faults.page.cause {
            case .instructionPageFault: .fetch
            case .storePageFault: .store
            default: .load
            }
        let trap = Trap(
            guestPageFault: original, value: faults.page.value, guestPhysical: place,
            pseudoinstruction: pseudoinstruction)
        // Neither MXR nor HLVX is about page tables.
        let plain = AccessContext(privilege: .user, userMemory: false, executableReadable: false)
        let translation = try walkGuestStage(
            place, for: kind, in: plain, faults: WalkFaults(page: trap, access: faults.access))
        return translation.page | place & 0xFFF
    }

    private mutating func walkGuestPhysical(
        _ physical: UInt64, for kind: AccessKind, in context: AccessContext, faults: WalkFaults
    ) throws(Trap) -> Translation {
        // To the G-stage every access is a user's.
        var user = AccessContext(
            privilege: .user, userMemory: false, executableReadable: context.isExecutableReadableInGuestStage)
        user.executes = context.executes
        return try walkGuestStage(physical, for: kind, in: user, faults: faults)
    }

    private mutating func walkGuestStage(
        _ physical: UInt64, for kind: AccessKind, in context: AccessContext, faults: WalkFaults
    ) throws(Trap) -> Translation {
        guard csr.hypervisor.hgatp >> 60 != 0 else {
            return Translation(
                page: physical & ~0xFFF, readable: true, writable: true, executable: true, size: 4096,
                isGlobal: false, isUniform: true)
        }
        return try walk(physical, .hypervisor(csr), for: kind, in: context, faults: faults)
    }
}
