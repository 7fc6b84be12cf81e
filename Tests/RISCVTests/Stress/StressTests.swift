import Foundation
import Testing

/// Random programs in U- and S-mode whose code and page tables change while they run and which a timer interrupts. They
/// leave the same behind on every engine. AERIE_STRESS_SEED and AERIE_STRESS_COUNT choose others.
@Suite struct StressTests {
    @Test(arguments: GuestRunners.translating)
    func interruptedProgramsThatChangeThemselvesEndAlikeOnBothEngines(runner: AerieRunner) throws {
        try compare(runner, with: AerieRunner(), count: 25)
    }

    @Test(.enabled(if: QEMURunner.installed != nil, "needs qemu-system-riscv64"))
    func interruptedProgramsThatChangeThemselvesEndAlikeOnQEMU() throws {
        try compare(AerieRunner(), with: try #require(QEMURunner.installed), count: 10, isPortable: true)
    }

    private func compare(
        _ ours: any GuestRunner, with reference: any GuestRunner, count: Int, isPortable: Bool = false
    ) throws {
        let environment = ProcessInfo.processInfo.environment
        let first = environment["AERIE_STRESS_SEED"].flatMap { UInt64($0) } ?? 1
        let count = environment["AERIE_STRESS_COUNT"].flatMap { Int($0) } ?? count
        var interrupts = 0
        var causes: Set<UInt8> = []
        for seed in first..<first + UInt64(count) {
            let program = StressProgram(seed: seed, isPortable: isPortable)
            let image = try program.image()
            let dump = StressProgram.dump
            let outcomes = try [ours, reference].map {
                try $0.run(
                    image, harts: 1, memory: StressProgram.memory,
                    dump: dump.lowerBound..<StressProgram.interrupts + 2)
            }
            #expect(outcomes.map(\.end) == [.exit(0), .exit(0)], "seed \(seed)")
            let memory = outcomes.map { Array($0.memory.prefix(dump.count)) }
            let lines = StressProgram.differences(memory[0], memory[1])
            #expect(
                lines.isEmpty,
                "seed \(seed): \(ours.name) | \(reference.name)\n\(lines.prefix(30).joined(separator: "\n"))")
            let counter = StressProgram.interrupts - dump.lowerBound
            interrupts += Int(outcomes[0].memory[counter]) | Int(outcomes[0].memory[counter + 1]) << 8
            causes.formUnion(StressProgram.causes(memory[0]))
        }
        // The programs do what they are for: interrupts came, and each exception that the changes lead to.
        #expect(interrupts > count)
        #expect(causes.isSuperset(of: [2, 3, 12, 13, 15]))
    }
}
