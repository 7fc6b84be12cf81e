import Foundation
import Testing

/// Random programs in U- and S-mode whose code and page tables change while they run and which a timer interrupts. They
/// leave the same behind on every engine. AERIE_STRESS_SEED and AERIE_STRESS_COUNT choose others.
@Suite struct StressTests {
    @Test(arguments: [
        AerieRunner(translates: true), AerieRunner(translates: true, makesRegions: true),
    ])
    func interruptedProgramsThatChangeThemselvesEndAlikeOnBothEngines(runner: AerieRunner) throws {
        try compare(runner, with: AerieRunner(), count: 25)
    }

    @Test(.enabled(if: QEMURunner.installed != nil, "needs qemu-system-riscv64"))
    func interruptedProgramsThatChangeThemselvesEndAlikeOnQEMU() throws {
        try compare(AerieRunner(), with: try #require(QEMURunner.installed), count: 10)
    }

    private func compare(_ ours: any GuestRunner, with reference: any GuestRunner, count: Int) throws {
        let environment = ProcessInfo.processInfo.environment
        let first = environment["AERIE_STRESS_SEED"].flatMap { UInt64($0) } ?? 1
        let count = environment["AERIE_STRESS_COUNT"].flatMap { Int($0) } ?? count
        for seed in first..<first + UInt64(count) {
            let image = try StressProgram(seed: seed).image()
            let outcomes = try [ours, reference].map {
                try $0.run(image, harts: 1, memory: StressProgram.memory, dump: StressProgram.dump)
            }
            #expect(outcomes.map(\.end) == [.exit(0), .exit(0)], "seed \(seed)")
            let lines = StressProgram.differences(outcomes[0].memory, outcomes[1].memory)
            #expect(
                lines.isEmpty,
                "seed \(seed): \(ours.name) | \(reference.name)\n\(lines.prefix(30).joined(separator: "\n"))")
        }
    }
}
