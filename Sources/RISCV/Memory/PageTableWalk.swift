internal import Synchronization
internal import TranslationRuntime

/// Fields of a page-table entry (Privileged Architecture 10.3.1, 10.4 to 10.6, Svnapot, Svpbmt).
private enum PageTableEntry {
    static let valid: UInt64 = 1 << 0
    static let read: UInt64 = 1 << 1
    static let write: UInt64 = 1 << 2
    static let execute: UInt64 = 1 << 3
    static let user: UInt64 = 1 << 4
    static let global: UInt64 = 1 << 5
    static let accessed: UInt64 = 1 << 6
    static let dirty: UInt64 = 1 << 7
    static let reserved: UInt64 = 0x7F << 54
    static let memoryType: UInt64 = 3 << 61
    static let napot: UInt64 = 1 << 63

    static func page(_ entry: UInt64) -> UInt64 { entry >> 10 & (1 << 44 - 1) }
}

extension HartState {
    /// Translates by page tables of one stage (Privileged Architecture 10.3.2).
    mutating func walk(
        _ address: UInt64, _ stage: TranslationStage, for kind: AccessKind, in context: AccessContext
    ) throws(Trap) -> Translation {
        try walk(address, stage, for: kind, in: context, faults: WalkFaults(kind, address: address))
    }

    mutating func walk(
        _ address: UInt64, _ stage: TranslationStage, for kind: AccessKind, in context: AccessContext,
        faults: WalkFaults
    ) throws(Trap) -> Translation {
        guard stage.covers(address) else { throw faults.page }
        // Another hart can change an entry between our look at it and the update of its A and D bits: then look again.
        while true {
            if let translation = try walkOnce(address, stage, for: kind, in: context, faults: faults) {
                return translation
            }
        }
    }

    private mutating func walkOnce(
        _ address: UInt64, _ stage: TranslationStage, for kind: AccessKind, in context: AccessContext,
        faults: WalkFaults
    ) throws(Trap) -> Translation? {
        var table = stage.root
        var level = stage.levels
        // In a pointer to the next table it is about all that the table maps.
        var global: UInt64 = 0
        while level > 0 {
            level -= 1
            let place = table << 12 + stage.index(of: address, level: level) << 3
            let physical =
                stage.kind == .guest ? try tablePlace(place, for: .load, faults: faults, in: context) : place
            let location = try tableEntry(physical, faults: faults)
            let entry = location.pointee.load(ordering: .acquiring)
            global |= entry & PageTableEntry.global
            let permissions = entry & (PageTableEntry.read | PageTableEntry.write | PageTableEntry.execute)
            guard entry & PageTableEntry.valid != 0, entry & PageTableEntry.reserved == 0,
                permissions & (PageTableEntry.read | PageTableEntry.write) != PageTableEntry.write
            else { throw faults.page }
            if permissions == 0 {
                // Bits that mean something in leaves only have to be clear in a pointer to the next table.
                let leafOnly =
                    PageTableEntry.user | PageTableEntry.accessed | PageTableEntry.dirty | PageTableEntry.memoryType
                    | PageTableEntry.napot
                guard entry & leafOnly == 0 else { throw faults.page }
                table = PageTableEntry.page(entry)
                continue
            }
            let page = try leafPage(entry, address: address, level: level, stage, fault: faults.page)
            try checkPermissions(entry, for: kind, in: context, fault: faults.page)
            let wanted = entry | PageTableEntry.accessed | (kind == .store ? PageTableEntry.dirty : 0)
            if wanted != entry {
                guard stage.updatesEntries else { throw faults.page }
                if stage.kind == .guest { _ = try tablePlace(place, for: .store, faults: faults, in: context) }
                guard try update(location, at: physical, entry, to: wanted, faults: faults) else { return nil }
            }
            return translation(page, wanted | global, level: level, in: context)
        }
        throw faults.page
    }

    /// The page-table entry at a physical address, which must be memory that S-mode may read.
    private mutating func tableEntry(
        _ physical: UInt64, faults: WalkFaults
    ) throws(Trap) -> UnsafeMutablePointer<Atomic<UInt64>> {
        guard protection.verdict(physical, count: 8, privilege: .supervisor).readable,
            let host = hostAddress(of: physical, count: 8)
        else { throw faults.access }
        // Entries are aligned, and Atomic<UInt64> has the layout of UInt64.
        return host.assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// The 4 KiB page number that a leaf gives `address`.
    private mutating func leafPage(
        _ entry: UInt64, address: UInt64, level: UInt64, _ stage: TranslationStage, fault: Trap
    ) throws(Trap) -> UInt64 {
        var page = PageTableEntry.page(entry)
        switch entry & PageTableEntry.memoryType {
        case 0: break
        case PageTableEntry.memoryType: throw fault
        default: guard stage.hasMemoryTypes else { throw fault }
        }
        var low: UInt64 = 1 << (9 * level) - 1
        if entry & PageTableEntry.napot != 0 {
            // The only NAPOT size is 64 KiB: the low four bits of the page number are 1000 (table 27). Without Svnapot the bit is reserved.
            guard extensions.contains(.svnapot), level == 0, page & 15 == 8 else { throw fault }
            page &= ~15
            low = 15
        }
        guard page & low == 0 else { throw fault }
        return page | address >> 12 & low
    }

    private mutating func checkPermissions(
        _ entry: UInt64, for kind: AccessKind, in context: AccessContext, fault: Trap
    ) throws(Trap) {
        let allowed =
            switch kind {
            case .fetch: entry & PageTableEntry.execute != 0
            case .store: entry & PageTableEntry.write != 0
            case .load where context.executes: entry & PageTableEntry.execute != 0
            case .load:
                entry & PageTableEntry.read != 0 || context.executableReadable && entry & PageTableEntry.execute != 0
            }
        guard allowed, mayUse(entry, fetch: kind == .fetch, in: context) else { throw fault }
    }

    /// The rule of the U bit: users need it, a supervisor never executes it and touches it only with SUM.
    private mutating func mayUse(_ entry: UInt64, fetch: Bool, in context: AccessContext) -> Bool {
        if context.privilege == .user { return entry & PageTableEntry.user != 0 }
        return entry & PageTableEntry.user == 0 || context.userMemory && !fetch
    }

    /// Sets A or D in memory (Svadu). False: look again.
    private mutating func update(
        _ location: UnsafeMutablePointer<Atomic<UInt64>>, at physical: UInt64, _ entry: UInt64, to wanted: UInt64,
        faults: WalkFaults
    ) throws(Trap) -> Bool {
        guard protection.verdict(physical, count: 8, privilege: .supervisor).writable else { throw faults.access }
        let (exchanged, _) = location.pointee.compareExchange(
            expected: entry, desired: wanted, ordering: .acquiringAndReleasing)
        codeWatch?.noteStore(UnsafeMutableRawPointer(location))
        return exchanged
    }

    private mutating func translation(_ page: UInt64, _ entry: UInt64, level: UInt64, in context: AccessContext)
        -> Translation
    {
        let data = mayUse(entry, fetch: false, in: context)
        let read = entry & PageTableEntry.read != 0 || context.executableReadable && entry & PageTableEntry.execute != 0
        return Translation(
            page: page << 12, readable: data && read,
            writable: data && entry & PageTableEntry.write != 0 && entry & PageTableEntry.dirty != 0,
            executable: entry & PageTableEntry.execute != 0 && mayUse(entry, fetch: true, in: context),
            size: entry & PageTableEntry.napot != 0 ? 65536 : 4096 << (9 * level),
            isGlobal: entry & PageTableEntry.global != 0, isUniform: true)
    }
}
