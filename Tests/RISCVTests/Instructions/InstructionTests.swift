import Testing

/// Every instruction against values written from the specification. QEMU, where it is installed, proves the tables.
@Suite struct InstructionTests {
    @Test(arguments: GuestRunners.all)
    func integerComputationFollowsTheSpecification(runner: any GuestRunner) throws {
        try check(IntegerComputation.cases, on: runner)
    }

    @Test(arguments: GuestRunners.all)
    func jumpsAndBranchesGoWhereTheSpecificationSays(runner: any GuestRunner) throws {
        try check(ControlTransfer.cases, on: runner)
    }

    @Test(arguments: GuestRunners.all)
    func loadsAndStoresWorkAtEveryWidthAndAlignment(runner: any GuestRunner) throws {
        try check(LoadsAndStores.cases, on: runner)
    }

    @Test(arguments: GuestRunners.all)
    func multiplicationAndDivisionKeepTheirCornerCases(runner: any GuestRunner) throws {
        try check(MultiplyDivide.cases, on: runner)
    }

    @Test(arguments: GuestRunners.all)
    func bitManipulationFollowsTheSpecification(runner: any GuestRunner) throws {
        try check(BitManipulation.cases, on: runner)
    }

    @Test(arguments: GuestRunners.all)
    func singlePrecisionArithmeticIsExact(runner: any GuestRunner) throws {
        try check(SingleArithmetic.cases, on: runner)
    }

    @Test(arguments: GuestRunners.all)
    func doublePrecisionArithmeticIsExact(runner: any GuestRunner) throws {
        try check(DoubleArithmetic.cases, on: runner)
    }

    @Test(arguments: GuestRunners.all)
    func floatingPointConvertsComparesAndClassifiesExactly(runner: any GuestRunner) throws {
        try check(FloatingConversion.cases, on: runner)
    }

    @Test(arguments: GuestRunners.all)
    func halfPrecisionConvertsMovesLoadsAndStoresExactly(runner: any GuestRunner) throws {
        try check(HalfPrecision.cases, on: runner)
    }

    @Test(arguments: GuestRunners.all)
    func atomicsAndReservationsFollowTheSpecification(runner: any GuestRunner) throws {
        try check(Atomics.cases, on: runner)
    }

    @Test(arguments: GuestRunners.all)
    func everyCompressedEncodingDoesWhatItStandsForOrTraps(runner: any GuestRunner) throws {
        try check(Compressed.cases, on: runner)
    }

    @Test(arguments: GuestRunners.all)
    func reservedEncodingsTrapAndSystemInstructionsWork(runner: any GuestRunner) throws {
        try check(SystemInstructions.cases, on: runner)
    }

    private func check(_ cases: [InstructionCase], on runner: any GuestRunner) throws {
        let failures = try InstructionSuite.failures(of: cases, on: runner)
        #expect(failures.isEmpty, "\(failures.prefix(20).joined(separator: "\n"))")
    }
}
