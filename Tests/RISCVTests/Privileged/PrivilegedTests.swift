import GuestToolchain
import Testing

/// Bare-metal programs of `Guests`, each of which checks one part of the privileged architecture and ends with the number
/// of the first check that fails. QEMU, where it is installed, proves the programs.
@Suite struct PrivilegedTests {
    @Test(arguments: GuestRunners.all)
    func exceptionsDelegationAndReturnsFollowTheSpecification(runner: any GuestRunner) throws {
        try check("traps.c", on: runner)
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
