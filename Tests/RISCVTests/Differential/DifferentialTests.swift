import Foundation
import Testing

/// Random programs end in the same state here and on QEMU. `make fuzz SEED=1 COUNT=100000` runs more of them.
@Suite struct DifferentialTests {
    @Test(.enabled(if: QEMURunner.installed != nil, "needs qemu-system-riscv64"))
    func randomProgramsEndInTheSameStateOnBothMachines() throws {
        let environment = ProcessInfo.processInfo.environment
        let seed = environment["AERIE_FUZZ_SEED"].flatMap { UInt64($0) } ?? 1
        let count = environment["AERIE_FUZZ_COUNT"].flatMap { Int($0) } ?? 8000
        let fuzzer = DifferentialFuzzer(ours: AerieRunner(), reference: try #require(QEMURunner.installed))
        let findings = try fuzzer.run(seed: seed, count: count)
        #expect(findings.isEmpty, "from seed \(seed):\n\(findings.map(\.description).joined(separator: "\n\n"))")
    }
}
