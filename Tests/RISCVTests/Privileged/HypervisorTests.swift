import GuestMemory
import GuestToolchain
import Machine
import SavedState
import Testing

@testable import RISCV

/// The hypervisor extension (Privileged Architecture, chapter "H"): bare-metal programs of `Guests`, on every engine, and on QEMU
/// where its version 7.2 agrees with the specification.
@Suite struct HypervisorTests {
    private static let ours = GuestRunners.ours.compactMap { $0 as? AerieRunner }.map { runner in
        var runner = runner
        runner.hasHypervisor = true
        return runner
    }
    private static let all: [any GuestRunner] = ours + [QEMURunner.hypervisor].compactMap { $0 }

    @Test(arguments: ours)
    func everyRegisterKeepsWhatIsLegalAndTrapsInTheRightModes(runner: any GuestRunner) throws {
        try check("guest_registers.c", on: runner)
    }

    @Test(arguments: all)
    func trapsInterruptsAndReturnsOfGuestsFollowTheSpecification(runner: any GuestRunner) throws {
        try check("guest_traps.c", on: runner)
    }

    @Test(arguments: all)
    func twoStageTranslationInEveryPairOfModesFollowsTheSpecification(runner: any GuestRunner) throws {
        try check("guest_paging.c", on: runner)
    }

    private func check(_ program: String, on runner: any GuestRunner) throws {
        let image = try Toolchain.build(["runtime.S", "guest.c", program])
        let outcome = try runner.run(image, harts: 1, memory: 32 << 20, dump: 0..<0)
        #expect(outcome.end == .exit(0), "\(runner.name): \(outcome.console)")
    }

    private func makeHart(hasHypervisor: Bool = true, pagingMode: PagingMode = .sv57) throws -> Hart {
        let space = AddressSpace(memory: try GuestMemory(ranges: [(base: Toolchain.base, size: 1 << 20)]))
        return Hart(
            index: 0, addressSpace: space, timeBase: TimeBase(), resetAddress: Toolchain.base, pagingMode: pagingMode,
            hasHypervisor: hasHypervisor)
    }

    @Test func aHartInAGuestIsSavedAndRestoredAsItWas() throws {
        let hart = try makeHart()
        let values: [(Int, UInt64)] = [
            (CSR.hstatus, 2 << 32 | 0x70_03C0), (CSR.hedeleg, 0xB1FF), (CSR.hideleg, 0x444), (CSR.hvip, 0x404),
            (CSR.hcounteren, 7), (CSR.henvcfg, 1 << 62 | 0x10), (CSR.htimedelta, 11), (CSR.htval, 12),
            (CSR.htinst, 13), (CSR.hgatp, 8 << 60 | 3 << 44 | 0x8_0004), (CSR.vstimecmp, 14), (CSR.mtval2, 15),
            (CSR.mtinst, 16), (CSR.mstateen.lowerBound, 3 << 62), (CSR.hstateen.lowerBound, 1 << 63),
            (CSR.vsstatus, 2 << 32 | 0x4_0100), (CSR.vstvec, 0x100), (CSR.vsscratch, 17), (CSR.vsepc, 0x18),
            (CSR.vscause, 19), (CSR.vstval, 20), (CSR.vsatp, 9 << 60 | 0x8_0005), (CSR.sscratch, 21),
            (CSR.satp, 8 << 60 | 0x8_0006), (CSR.sstatus, 2 << 32 | 0x2000), (CSR.mie, 0xEEE), (CSR.mideleg, 0x666),
        ]
        hart.writeCSR(CSR.menvcfg, .max)
        for (number, value) in values { hart.writeCSR(number, value) }
        hart.privilege = .user
        hart.state.pointee.setVirtual(true)
        hart.state.pointee.contextChanged()
        // A guest's own view, and the machine's behind it.
        #expect(hart.state.pointee.readCSR(CSR.sscratch) == 17)
        let record = try hart.save()
        let other = try makeHart()
        try other.restore(record)
        #expect(other.isVirtual)
        #expect(other.privilege == .user)
        for (number, value) in values { #expect(other.readCSR(number) == value, "\(String(number, radix: 16))") }
        #expect(try other.save() == record)

        // Another processor cannot take it over.
        let without = try makeHart(hasHypervisor: false)
        #expect(throws: SavedStateError.self) { try without.restore(record) }
        let narrow = try makeHart(pagingMode: .sv39)
        #expect(throws: SavedStateError.badField(kind: "riscv-hart", field: "vsatp")) { try narrow.restore(record) }
        // A processor that gained the extension begins with it as after a reset.
        try other.restore(try without.save())
        #expect(!other.isVirtual)
        #expect(other.readCSR(CSR.hgatp) == 0)
        #expect(other.readCSR(CSR.mideleg) == 0x444)
    }

    @Test func aSupervisorStartsWithWhatFirmwareLeavesToAHypervisor() throws {
        let hart = try makeHart()
        hart.state.pointee.privilege = .user
        hart.state.pointee.setVirtual(true)
        hart.enterSupervisor(at: Toolchain.base, arguments: (0, 0))
        #expect(!hart.isVirtual)
        #expect(hart.privilege == .supervisor)
        #expect(hart.readCSR(CSR.medeleg) == 0xF0_B5FF)
        #expect(hart.readCSR(CSR.mideleg) == 0x666)
        #expect(hart.readCSR(CSR.mstateen.lowerBound) == 3 << 62)
        #expect(hart.readCSR(CSR.hgatp) == 0)
        let plain = try makeHart(hasHypervisor: false)
        plain.enterSupervisor(at: Toolchain.base, arguments: (0, 0))
        #expect(plain.readCSR(CSR.medeleg) == 0xB1FF)
        #expect(plain.readCSR(CSR.mideleg) == 0x222)
        #expect(plain.readCSR(CSR.hgatp) == nil)
    }

    @Test func fencesOfOtherHartsJoinAndStayFew() {
        var pending = PendingFences()
        for guest in 0..<3 as Range<UInt64> {
            pending.add(.guests(identifier: guest))
            pending.add(.guests(identifier: guest))
        }
        pending.add(.guestAddressSpaces(guest: 1, identifier: 2))
        pending.add(.pages(first: 0x1000, count: 2))
        #expect(pending.guests == [0, 1, 2])
        #expect(pending.guestSpaces == [.init(guest: 1, identifier: 2)])
        pending.add(.everything)
        #expect(pending.pages == [0x1000, 0x2000])
        for guest in 3..<9 as Range<UInt64> { pending.add(.guests(identifier: guest)) }
        #expect(pending.allGuests)
        #expect(pending.guests == [])
        pending.add(.everything)
        #expect(pending.pages == [])
        var many = PendingFences()
        many.add(.pages(first: 0, count: RemoteFence.pageLimit))
        many.add(.pages(first: 0, count: 1))
        #expect(many.everything && many.allGuests && many.pages == [])
    }

    @Test func guestsKeepTheirNumbersUntilTooManyOthersRun() {
        typealias Space = RecentGuests.Space
        var guests = RecentGuests()
        let first = Space(satp: 1, hgatp: 100)
        let changes = guests.select(first)
        #expect(changes.isNewSpace && changes.isNewGuest)
        #expect(guests.isSelected(first))
        let number = guests.guest
        for other in 1..<4 as Range<UInt64> { _ = guests.select(Space(satp: 1, hgatp: 100 + other)) }
        let back = guests.select(first)
        #expect(!back.isNewSpace && !back.isNewGuest && !back.leavesSpace)
        #expect(guests.guest == number)
        // Another address space of a guest that is known.
        let changed = guests.select(Space(satp: 2, hgatp: 100))
        #expect(changed.isNewSpace && !changed.isNewGuest && changed.leavesSpace)
        // The guest that was used least lately makes room.
        #expect(guests.select(Space(satp: 1, hgatp: 200)).isNewGuest)
        #expect(guests.select(Space(satp: 1, hgatp: 101)).isNewGuest)
        #expect(!guests.select(Space(satp: 2, hgatp: 100)).isNewGuest)
    }
}
