import GuestMemory
import GuestToolchain
import Machine
import SavedState
import Testing

@testable import RISCV

/// Registers, page tables, the timer and saved states of harts that lack extensions.
@Suite struct ExtensionRegisterTests {
    private static let base = Toolchain.base

    private func makeHart(_ extensions: ExtensionSet, hasHypervisor: Bool = false) throws -> Hart {
        let space = AddressSpace(memory: try GuestMemory(ranges: [(base: Self.base, size: 1 << 20)]))
        return Hart(
            index: 0, addressSpace: space, timeBase: TimeBase(), resetAddress: Self.base, extensions: extensions,
            hasHypervisor: hasHypervisor)
    }

    private func all(but parts: Extension...) -> ExtensionSet {
        ExtensionSet(Extension.allCases.filter { !(parts + ExtensionSet.advancedInterrupts).contains($0) })
    }

    @Test func environmentBitsAreReadOnlyZeroWithoutTheirExtension() throws {
        let every: UInt64 = 7 << 61 | 0xF1
        let bits: [(Extension, UInt64, UInt64)] = [
            (.zicbom, 7 << 4, 7 << 4), (.zicboz, 1 << 7, 1 << 7), (.svadu, 1 << 61, 0), (.svpbmt, 1 << 62, 0),
            (.sstc, 1 << 63, 0), (.zba, 0, 0),
        ]
        for (part, ofMachine, ofSupervisor) in bits {
            let hart = try makeHart(all(but: part), hasHypervisor: true)
            let reset = try #require(hart.readCSR(CSR.menvcfg))
            #expect(reset == 3 << 61 & ~ofMachine)
            for number in [CSR.menvcfg, CSR.henvcfg, CSR.senvcfg] { hart.writeCSR(number, .max) }
            #expect(hart.readCSR(CSR.menvcfg) == every & ~ofMachine, "\(part)")
            #expect(hart.readCSR(CSR.henvcfg) == every & ~ofMachine, "\(part)")
            #expect(hart.readCSR(CSR.senvcfg) == 0xF1 & ~ofSupervisor, "\(part)")
            hart.enterSupervisor(at: Self.base, arguments: (0, 0))
            #expect(hart.readCSR(CSR.menvcfg) == (every & ~(2 << 4)) & ~ofMachine, "\(part)")
        }
    }

    @Test func bitsOfCountersAreReadOnlyZeroWithoutThem() throws {
        for (parts, value) in [
            ([], 0xFFFF_FFFF), ([.zihpm], 7), ([.zicntr], 0xFFFF_FFFA), ([.zicntr, .sstc], 0xFFFF_FFF8),
            ([.zicntr, .zihpm, .sstc], 0),
        ] as [([Extension], UInt64)] {
            let hart = try makeHart(
                ExtensionSet(Extension.allCases.filter { !parts.contains($0) }), hasHypervisor: true)
            for number in [CSR.mcounteren, CSR.scounteren, CSR.hcounteren] {
                hart.writeCSR(number, .max)
                #expect(hart.readCSR(number) == value)
            }
            hart.enterSupervisor(at: Self.base, arguments: (0, 0))
            #expect(hart.readCSR(CSR.mcounteren) == value)
            #expect(hart.readCSR(CSR.scounteren) == value & 7)
        }
        // M-mode's own counters stay.
        let hart = try makeHart(ExtensionSet([]))
        #expect(hart.readCSR(CSR.mcycle) != nil)
        #expect(hart.readCSR(CSR.mhpmcounters.lowerBound) == 0)
        #expect(hart.readCSR(CSR.time) == nil)
        #expect(hart.readCSR(CSR.hpmcounters.lowerBound) == nil)
    }

    @Test func aMissingRegisterIsIllegalInAGuestToo() throws {
        for (part, number) in [
            (Extension.sstc, CSR.stimecmp), (.zicntr, CSR.time), (.zihpm, CSR.hpmcounters.lowerBound),
        ] {
            for extensions in [ExtensionSet.all, all(but: part)] {
                let hart = try makeHart(extensions, hasHypervisor: true)
                hart.enterSupervisor(at: Self.base, arguments: (0, 0))
                hart.state.pointee.setVirtual(true)
                // The hypervisor has not opened it: a virtual instruction, if there is such a register.
                let expected: CSRAccess = extensions == .all ? .virtual : .illegal
                #expect(hart.state.pointee.access(to: number, write: false) == expected, "\(part)")
                hart.state.pointee.setVirtual(false)
                let outside: CSRAccess = extensions == .all ? .allowed : .illegal
                #expect(hart.state.pointee.access(to: number, write: false) == outside, "\(part)")
            }
        }
    }

    @Test func theSupervisorTimerOfSBIWorksWithAndWithoutSstc() throws {
        for extensions in [ExtensionSet.all, all(but: .sstc)] {
            let hart = try makeHart(extensions)
            hart.enterSupervisor(at: Self.base, arguments: (0, 0))
            #expect(hart.readCSR(CSR.mip) == 0)
            hart.setSupervisorTimer(0)
            #expect(hart.readCSR(CSR.mip) == 1 << 5)
            hart.setSupervisorTimer(.max)
            #expect(hart.readCSR(CSR.mip) == 0)
        }
        // With firmware, which sets the bit itself, no comparison is in the way.
        let hart = try makeHart(all(but: .sstc))
        hart.writeCSR(CSR.stimecmp, 0)
        #expect(hart.readCSR(CSR.mip) == 0)
        hart.writeCSR(CSR.mip, 1 << 5)
        #expect(hart.readCSR(CSR.mip) == 1 << 5)
        hart.writeCSR(CSR.mip, 0)
        #expect(hart.readCSR(CSR.mip) == 0)
    }

    /// How a load by S-mode ends whose page-table entry has `bits` beside V, R and W.
    private func fault(_ extensions: ExtensionSet, _ bits: UInt64) throws -> ExceptionCause? {
        let memory = try GuestMemory(ranges: [(base: Self.base, size: 1 << 20)])
        let hart = Hart(
            index: 0, addressSpace: AddressSpace(memory: memory), timeBase: TimeBase(), resetAddress: Self.base,
            extensions: extensions)
        hart.enterSupervisor(at: Self.base, arguments: (0, 0))
        let page = Self.base >> 12
        // Three levels of tables in the first three pages; the entry maps 0 to page 16 and what follows.
        try memory.store((page + 1) << 10 | 1, at: Self.base)
        try memory.store((page + 2) << 10 | 1, at: Self.base + 0x1000)
        try memory.store((page + 16) << 10 | 7 | bits, at: Self.base + 0x2000)
        hart.writeCSR(CSR.satp, 8 << 60 | page)
        do throws(Trap) {
            let context = hart.state.pointee.dataContext
            let found = try hart.state.pointee.translate(0, count: 1, for: .load, in: context)
            #expect(found.page == Self.base + 0x1_0000)
            return nil
        } catch { return error.cause }
    }

    @Test func bitsOfPageTableEntriesAreReservedWithoutTheirExtension() throws {
        let accessed: UInt64 = 3 << 6
        // Svnapot: the page number of a range of 64 KiB ends in 1000.
        let range = accessed | 1 << 63 | 8 << 10
        for (part, bits) in [(Extension.svnapot, range), (.svpbmt, accessed | 1 << 61), (.svpbmt, accessed | 2 << 61)] {
            #expect(try fault(.all, bits) == nil)
            #expect(try fault(all(but: part), bits) == .loadPageFault)
            #expect(try fault(ExtensionSet([part]), bits) == nil)
        }
        // Svadu: without it the page faults until software sets the bit (Svade).
        #expect(try fault(.all, 0) == nil)
        #expect(try fault(all(but: .svadu), 0) == .loadPageFault)
        #expect(try fault(ExtensionSet([]), accessed) == nil)
    }

    // MARK: Saved states

    @Test func aSavedHartIsRestoredByOneWithTheSameExtensionsOnly() throws {
        let record = try makeHart(all(but: .zbb)).save()
        try makeHart(all(but: .zbb)).restore(record)
        for extensions in [all(but: .zbb, .sstc), all(but: .zba)] {
            let other = try makeHart(extensions)
            #expect(throws: SavedStateError.badField(kind: "riscv-hart", field: "extensions")) {
                try other.restore(record)
            }
        }
        let more = try makeHart(.all)
        #expect(throws: SavedStateError.badField(kind: "riscv-hart", field: "absentExtensions")) {
            try more.restore(record)
        }
    }

    /// The record with other values of some fields; nil removes one.
    private func copy(_ record: SavedRecord, version: UInt32, _ changes: [String: SavedValue?]) -> SavedRecord {
        var copy = SavedRecord(kind: record.kind, version: version)
        for (name, value) in record.fields {
            if let change = changes[name] { if let change { copy.set(name, change) } } else { copy.set(name, value) }
        }
        return copy
    }

    @Test func aHartOfBeforeTheChoiceIsRestoredByOneThatHasAllOfThatTime() throws {
        let record = copy(try makeHart(.all).save(), version: 2, ["extensions": nil, "absentExtensions": nil])
        try makeHart(.all).restore(record)
        try makeHart(all(but: .zfhmin, .zicbop, .zkt)).restore(record)
        let without = try makeHart(all(but: .zawrs))
        #expect(throws: SavedStateError.badField(kind: "riscv-hart", field: "extensions")) {
            try without.restore(record)
        }
    }

    @Test func extensionsOfOtherVersionsCountOnlyIfTheHartHadThem() throws {
        let record = try makeHart(.all).save()
        let hart = try makeHart(.all)
        try hart.restore(copy(record, version: 3, ["absentExtensions": .text("zlater")]))
        #expect(throws: SavedStateError.badField(kind: "riscv-hart", field: "extensions")) {
            try hart.restore(copy(record, version: 3, ["extensions": .text("zba zlater")]))
        }
        // An extension that was not known then is in neither list.
        try hart.restore(copy(record, version: 3, ["extensions": .text("zba zbb")]))
    }

    @Test func registersWithBitsOfAbsentExtensionsAreNoState() throws {
        let record = try makeHart(all(but: .sstc)).save()
        let hart = try makeHart(all(but: .sstc))
        try hart.restore(record)
        let csr = try record.record("csr")
        let changed = copy(csr, version: csr.version, ["menvcfg": .unsigned(1 << 63)])
        #expect(throws: SavedStateError.badField(kind: "riscv-hart", field: "menvcfg")) {
            try hart.restore(copy(record, version: 3, ["csr": .record(changed)]))
        }
    }
}
