import Foundation
import Testing

/// Random programs end in the same state here and on QEMU. `make fuzz SEED=1 COUNT=100000` runs more of them.
@Suite struct DifferentialTests {
    @Test(.enabled(if: QEMURunner.installed != nil, "needs qemu-system-riscv64"))
    func randomProgramsEndInTheSameStateOnBothMachines() throws {
        try compare(AerieRunner(), with: try #require(QEMURunner.installed), count: 8000)
    }

    @Test(arguments: [false, true])
    func randomProgramsEndInTheSameStateTranslatedAndInterpreted(isRelative: Bool) throws {
        try compare(AerieRunner(translates: true, isRelative: isRelative), with: AerieRunner(), count: 5000)
    }

    @Test(arguments: [false, true])
    func randomProgramsInGuestsEndInTheSameStateTranslatedAndInterpreted(isRelative: Bool) throws {
        let ours = AerieRunner(translates: true, isRelative: isRelative, hasHypervisor: true)
        try compare(ours, with: AerieRunner(hasHypervisor: true), count: 2000, isGuest: true)
    }

    private func compare(
        _ ours: AerieRunner, with reference: any GuestRunner, count: Int, isGuest: Bool = false
    ) throws {
        let environment = ProcessInfo.processInfo.environment
        let seed = environment["AERIE_FUZZ_SEED"].flatMap { UInt64($0) } ?? 1
        let count = environment["AERIE_FUZZ_COUNT"].flatMap { Int($0) } ?? count
        let fuzzer = DifferentialFuzzer(ours: ours, reference: reference, isGuest: isGuest)
        let findings = try fuzzer.run(seed: seed, count: count)
        #expect(findings.isEmpty, "from seed \(seed):\n\(findings.map(\.description).joined(separator: "\n\n"))")
    }
}
