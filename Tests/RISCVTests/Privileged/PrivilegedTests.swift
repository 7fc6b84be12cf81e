import GuestMemory
import GuestToolchain
import Machine
import RISCV
import SavedState
import Testing

/// Bare-metal programs of `Guests`, each of which checks one part of the privileged architecture and ends with the number
/// of the first check that fails. QEMU, where it is installed, proves the programs.
@Suite struct PrivilegedTests {
    @Test(arguments: GuestRunners.all)
    func exceptionsDelegationAndReturnsFollowTheSpecification(runner: any GuestRunner) throws {
        try check("traps.c", on: runner)
    }

    @Test(arguments: GuestRunners.all)
    func afterResetHardwareSetsAccessedAndDirtyBits(runner: any GuestRunner) throws {
        try check("fresh.c", on: runner)
    }

    @Test(arguments: PagingMode.allCases)
    func satpTakesTheHartsPagingModeAndNarrowerOnes(widest: PagingMode) throws {
        let space = AddressSpace(memory: try GuestMemory(ranges: [(base: Toolchain.base, size: 1 << 20)]))
        let hart = Hart(index: 0, addressSpace: space, timeBase: TimeBase(), resetAddress: 0, pagingMode: widest)
        for mode in 0..<16 as Range<UInt64> {
            hart.writeCSR(CSR.satp, 0)
            let value = mode << 60 | 0x8_0000
            hart.writeCSR(CSR.satp, value)
            let isLegal = mode == 0 || mode >= 8 && mode <= widest.rawValue
            #expect(hart.readCSR(CSR.satp) == (isLegal ? value : 0), "mode \(mode)")
        }
        // A saved hart that uses wider addresses is another processor.
        let wide = Hart(index: 0, addressSpace: space, timeBase: TimeBase(), resetAddress: 0)
        wide.writeCSR(CSR.satp, 10 << 60 | 0x8_0000)
        let record = try wide.save()
        if widest < .sv57 {
            #expect(throws: SavedStateError.badField(kind: "riscv-hart", field: "satp")) { try hart.restore(record) }
        } else {
            try hart.restore(record)
        }
    }

    @Test(arguments: GuestRunners.all)
    func pageTablesOfEveryModeFollowTheSpecification(runner: any GuestRunner) throws {
        try check("paging.c", on: runner)
    }

    @Test(arguments: GuestRunners.all)
    func physicalMemoryProtectionFollowsTheSpecification(runner: any GuestRunner) throws {
        try check("protection.c", on: runner)
    }

    @Test(arguments: GuestRunners.all)
    func interruptsAndRegistersFollowTheSpecification(runner: any GuestRunner) throws {
        try check("interrupts.c", on: runner)
    }

    @Test(arguments: GuestRunners.ours)
    func loopsThatYieldTheProcessorTakeTimerInterruptsSoonAfterTheirTime(runner: any GuestRunner) throws {
        try check("waiting.c", on: runner)
    }

    @Test(arguments: GuestRunners.all)
    func fourHartsKeepTheMemoryModelAndWakeEachOther(runner: any GuestRunner) throws {
        try check("harts.c", on: runner, harts: 4)
    }

    /// QEMU 7.2 passes most of the time: it may translate a function between forgetting it and the store that changes it.
    @Test(arguments: GuestRunners.ours)
    func codeThatOneHartRewritesIsSeenByTheOthersAfterTheirFences(runner: any GuestRunner) throws {
        try check("sharing.c", on: runner, harts: 4)
    }

    @Test(arguments: GuestRunners.all)
    func cacheBlockOperationsNeedPermissionAndFaultAsStores(runner: any GuestRunner) throws {
        try check("blocks.c", on: runner)
    }

    @Test(arguments: GuestRunners.all)
    func codeThatChangesIsSeenAfterItsFence(runner: any GuestRunner) throws {
        try check("code.c", on: runner)
    }

    @Test(arguments: GuestRunners.all)
    func addressSpacesReturnsAndTheClockFollowTheSpecification(runner: any GuestRunner) throws {
        try check("spaces.c", on: runner)
    }

    @Test(arguments: GuestRunners.all)
    func pagesWhoseNumbersEndAlikeKeepTheirOwnContents(runner: any GuestRunner) throws {
        try check("aliases.c", on: runner, memory: 64 << 20)
    }

    @Test(arguments: GuestRunners.all)
    func loopsThatStepThroughMemoryNoticeWhatChangesBelowThem(runner: any GuestRunner) throws {
        try check("steady.c", on: runner)
    }

    @Test(arguments: GuestRunners.ours)
    func everyRegisterKeepsWhatIsLegalOfAllOnesAndZeros(runner: any GuestRunner) throws {
        try check("registers.c", on: runner)
    }

    @Test(arguments: GuestRunners.ours)
    func hartsWakeEachOtherInSupervisorModeThroughTheSSWI(runner: any GuestRunner) throws {
        try check("software.c", on: runner, harts: 4)
    }

    private func check(_ program: String, on runner: any GuestRunner, harts: Int = 1, memory: Int = 32 << 20) throws {
        let image = try Toolchain.build(["runtime.S", "guest.c", program])
        let outcome = try runner.run(image, harts: harts, memory: memory, dump: 0..<0)
        #expect(outcome.end == .exit(0), "\(runner.name): \(outcome.console)")
    }
}
